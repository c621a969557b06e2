// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations that go another way on a GPU than one call of LibTorch each, as the reference has it.
#pragma once

#include "graph/op.h"

#include <ATen/core/Tensor.h>

#include <span>

namespace tvw::cuda {

using Inputs = std::span<const at::Tensor>;

/// Whether cuDNN may have one kernel for convolution, bias, residual and ReLU. That it has one
/// shows when it is called. NaN may come out of it as 0.
bool can_fuse(const op::Conv2d &conv, size_t inputs);
at::Tensor fused_convolution(const op::Conv2d &conv, Inputs in);

/// The same in several calls.
at::Tensor convolution(const op::Conv2d &conv, Inputs in);
at::Tensor linear(const op::Linear &linear, Inputs in);

/// `rows` and `places` are int64 on the device; undefined without rows.
at::Tensor attention(const op::Attention &attention, Inputs in, const at::Tensor &rows,
                     const at::Tensor &places);

} // namespace tvw::cuda
