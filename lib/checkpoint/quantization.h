// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/pickle.h"

#include <functional>

namespace tvw {

/// Reads the quantizer tuple of `_rebuild_qtensor` for `tensor`: (per_tensor_affine, scale,
/// zero point) or (per_channel_affine, scales, zero points, axis). Counts and types are checked
/// here. PickleRefusal.
PickledQuantization read_quantizer(const Pickle &pickle, const PickleValue &parameters,
                                   const PickledTensor &tensor);

/// Gives the contents of the tensor with this index.
using TensorLoader = std::function<HostTensor(size_t)>;

/// The numbers themselves. PickleRefusal for scales that are not positive and finite and for zero
/// points outside the dtype.
Quantization resolve_quantization(const Pickle &pickle, const PickledTensor &tensor,
                                  const TensorLoader &load);

} // namespace tvw
