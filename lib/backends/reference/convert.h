// SPDX-License-Identifier: LGPL-2.1-or-later
// Between the library's tensors and LibTorch's.
#pragma once

#include <tvw/tensor.h>

#include <ATen/core/Tensor.h>

namespace tvw {

/// Shares the bytes; the result keeps them alive.
at::Tensor to_aten(const HostTensor &tensor);
/// A contiguous copy in host memory.
HostTensor from_aten(const at::Tensor &tensor);

} // namespace tvw
