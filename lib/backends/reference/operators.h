// SPDX-License-Identifier: LGPL-2.1-or-later
// One operation of the graph as a call of LibTorch.
#pragma once

#include "graph/op.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <span>

namespace tvw {

/// Inputs as op.h lists them; the weight and bias of a quantized layer are in `packed` instead.
at::Tensor call_operator(const Op &op, std::span<const at::Tensor> inputs,
                         const c10::IValue &packed);

} // namespace tvw
