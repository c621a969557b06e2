// SPDX-License-Identifier: LGPL-2.1-or-later
// Which operations take quantized values, and which hand their quantization on.
#pragma once

#include "graph/graph.h"

#include <optional>
#include <span>

namespace tvw {

/// Error(kInvalidArgument) where the operation computes with real numbers and an input is
/// quantized, or the other way round.
void check_stored(const Op &op, std::span<const TensorType> inputs);

/// What the result has from the first input; none for operations that set their own, or whose
/// result is not quantized.
std::optional<Affine> kept_affine(const Op &op, std::span<const TensorType> inputs);

} // namespace tvw
