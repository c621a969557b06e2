// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/reference/quantized.h"

#include <tvw/error.h>

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/_make_per_channel_quantized_tensor.h>
#include <ATen/ops/_make_per_tensor_quantized_tensor.h>
#include <ATen/ops/dequantize.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/quantize_per_tensor.h>

#include <algorithm>
#include <vector>

namespace tvw {
namespace {

using Inputs = std::span<const at::Tensor>;

at::QEngine qengine(QuantizedEngine engine) {
    return engine == QuantizedEngine::kFbgemm ? at::kFBGEMM : at::kQNNPACK;
}

void use_engine(at::QEngine engine) {
    const auto &known = at::Context::supportedQEngines();
    if (std::find(known.begin(), known.end(), engine) == known.end())
        throw Error(ErrorKind::kNotSupported, "this LibTorch has no quantized engine " +
                                                  c10::toString(engine) +
                                                  " for this CPU; quantize=false needs none");
    if (at::globalContext().qEngine() != engine)
        at::globalContext().setQEngine(engine);
}

c10::IValue call(const char *name, const char *overload, std::vector<c10::IValue> arguments) {
    c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).callBoxed(&arguments);
    return std::move(arguments.front());
}

at::Tensor call_for_tensor(const char *name, const char *overload,
                           std::vector<c10::IValue> arguments) {
    return call(name, overload, std::move(arguments)).toTensor();
}

/// The weight of a layer with its scales, as a copy.
at::Tensor weight_tensor(const HostTensor &weight) {
    const Quantization &quantization = *weight.quantization();
    const at::Tensor stored =
        at::from_blob(weight.storage()->data() + weight.offset(), weight.shape(), at::kChar);
    if (!quantization.per_channel)
        return at::_make_per_tensor_quantized_tensor(stored, quantization.scales[0],
                                                     quantization.zero_points[0]);
    const auto column = [](const auto &numbers, at::ScalarType type) {
        using Number = typename std::decay_t<decltype(numbers)>::value_type;
        return at::from_blob(const_cast<Number *>(numbers.data()), {int64_t(numbers.size())}, type)
            .clone();
    };
    return at::_make_per_channel_quantized_tensor(stored, column(quantization.scales, at::kDouble),
                                                  column(quantization.zero_points, at::kLong),
                                                  quantization.axis);
}

struct Pack {
    const at::Tensor &weight;
    const at::Tensor &bias;

    c10::IValue operator()(const op::QuantizedConv2d &layer) const {
        const op::Conv2d &conv = layer.conv;
        const auto &[top, left, bottom, right] = conv.padding;
        if (top != bottom || left != right)
            throw Error(ErrorKind::kInternal, "a quantized convolution pads both sides alike");
        const auto list = [](const Size2 &size) { return std::vector(size.begin(), size.end()); };
        return call("quantized::conv2d_prepack", "",
                    {weight, bias, list(conv.stride), std::vector{top, left}, list(conv.dilation),
                     conv.groups});
    }
    c10::IValue operator()(const op::QuantizedLinear & /*op*/) const {
        return call("quantized::linear_prepack", "", {weight, bias});
    }
    template<typename Other>
    c10::IValue operator()(const Other & /*nothing to pack*/) const {
        return {};
    }
};

struct Call {
    Inputs in;
    const c10::IValue &packed;

    at::Tensor operator()(const op::Quantize &op) const {
        return at::quantize_per_tensor(in[0], op.to.scale, op.to.zero_point, at::kQUInt8);
    }
    at::Tensor operator()(const op::Dequantize & /*op*/) const { return at::dequantize(in[0]); }
    at::Tensor operator()(const op::QuantizedConv2d &op) const {
        return call_for_tensor(op.relu ? "quantized::conv2d_relu" : "quantized::conv2d", "new",
                               {in[0], packed, op.to.scale, op.to.zero_point});
    }
    at::Tensor operator()(const op::QuantizedLinear &op) const {
        return call_for_tensor("quantized::linear", "",
                               {in[0], packed, op.to.scale, op.to.zero_point});
    }
    at::Tensor operator()(const op::QuantizedAdd &op) const {
        return call_for_tensor(op.relu ? "quantized::add_relu" : "quantized::add", "",
                               {in[0], in[1], op.to.scale, op.to.zero_point});
    }
    at::Tensor operator()(const op::QuantizedMul &op) const {
        return call_for_tensor("quantized::mul", "", {in[0], in[1], op.to.scale, op.to.zero_point});
    }
    at::Tensor operator()(const op::QuantizedConcat &op) const {
        return call_for_tensor(
            "quantized::cat", "",
            {std::vector(in.begin(), in.end()), op.dim, op.to.scale, op.to.zero_point});
    }
    at::Tensor operator()(const op::QuantizedHardswish &op) const {
        return call_for_tensor("quantized::hardswish", "", {in[0], op.to.scale, op.to.zero_point});
    }
    template<typename Other>
    at::Tensor operator()(const Other & /*op*/) const {
        throw Error(ErrorKind::kInternal, std::string(Other::kName) + " is no quantized operation");
    }
};

} // namespace

EngineScope::EngineScope(std::optional<QuantizedEngine> engine)
    : before_(engine ? at::globalContext().qEngine() : at::kNoQEngine) {
    if (engine)
        use_engine(qengine(*engine));
}

EngineScope::~EngineScope() {
    if (before_ != at::kNoQEngine)
        at::globalContext().setQEngine(before_);
}

std::optional<QuantizedEngine> engine_of(const Graph &graph) {
    for (const Node &node : graph.nodes()) {
        if (const auto *quantize = std::get_if<op::Quantize>(&node.op))
            return quantize->engine;
    }
    return std::nullopt;
}

bool is_packed(const Op &op) {
    return std::holds_alternative<op::QuantizedConv2d>(op) ||
           std::holds_alternative<op::QuantizedLinear>(op);
}

c10::IValue pack_layer(const Op &op, const HostTensor &weight, const HostTensor &bias) {
    return std::visit(Pack{weight_tensor(weight), bias}, op);
}

at::Tensor call_quantized(const Op &op, Inputs inputs, const c10::IValue &packed) {
    return std::visit(Call{inputs, packed}, op);
}

} // namespace tvw
