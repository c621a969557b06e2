// SPDX-License-Identifier: LGPL-2.1-or-later
// The shape rules of attention, which has more of them than other operations.
#pragma once

#include "graph/graph.h"

#include <span>

namespace tvw {

/// The result's type; Error(kInvalidArgument) says what does not fit.
TensorType infer_attention(const op::Attention &attention, std::span<const TensorType> inputs);

} // namespace tvw
