// SPDX-License-Identifier: LGPL-2.1-or-later
// From LibTorch's tensors to the library's; the way back is HostTensor's own conversion.
#pragma once

#include "graph/graph.h"

#include <tvw/tensor.h>

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <vector>

namespace tvw {

/// Error(kNotSupported) for a type that HostTensor lacks.
DType dtype_of(at::ScalarType type);

/// A contiguous copy in host memory. Error(kNotSupported) for a dtype that HostTensor lacks.
HostTensor from_aten(const at::Tensor &tensor);

/// The graph's outputs by name, into the tensors that are there where they fit and nobody shares
/// them. `results` are in the host's memory, contiguous, and of the types that the graph says.
void hand_over(const Graph &graph, const std::vector<at::Tensor> &results,
               std::vector<NamedTensor> &outputs);

} // namespace tvw
