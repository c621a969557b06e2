// SPDX-License-Identifier: LGPL-2.1-or-later
// From LibTorch's tensors to the library's; the way back is HostTensor's own conversion.
#pragma once

#include <tvw/tensor.h>

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

namespace tvw {

/// Error(kNotSupported) for a type that HostTensor lacks.
DType dtype_of(at::ScalarType type);

/// A contiguous copy in host memory. Error(kNotSupported) for a dtype that HostTensor lacks.
HostTensor from_aten(const at::Tensor &tensor);

} // namespace tvw
