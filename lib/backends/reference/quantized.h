// SPDX-License-Identifier: LGPL-2.1-or-later
// Everything that touches LibTorch's quantized tensors and operators. They are called by name with
// boxed arguments, so that no type of theirs is named anywhere.
#pragma once

#include "backends/silence.h"
#include "graph/graph.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <c10/core/QEngine.h>

#include <optional>
#include <span>

namespace tvw {

/// The engine that LibTorch's operators use, for as long as this lives. It is one for the whole
/// process, so other threads that compute with quantized tensors meanwhile get it too. LibTorch's
/// warnings, that these operators will move to another library, are not printed.
class EngineScope {
public:
    /// None leaves it alone. Error(kNotSupported) where this LibTorch or CPU lacks the engine.
    explicit EngineScope(std::optional<QuantizedEngine> engine);
    ~EngineScope();
    EngineScope(const EngineScope &) = delete;
    EngineScope &operator=(const EngineScope &) = delete;

private:
    c10::QEngine before_;
    SilentWarnings silence_;
};

/// That of the graph's op::Quantize; none where nothing is quantized.
std::optional<QuantizedEngine> engine_of(const Graph &graph);

/// Whether the operation has a weight and bias, its inputs 1 and 2, that are packed beforehand.
bool is_packed(const Op &op);
/// Weight and bias of such an operation as the engine in use wants them.
c10::IValue pack_layer(const Op &op, const HostTensor &weight, const HostTensor &bias);

/// Inputs as op.h lists them, less those that are packed.
at::Tensor call_quantized(const Op &op, std::span<const at::Tensor> inputs,
                          const c10::IValue &packed);

} // namespace tvw
