// SPDX-License-Identifier: LGPL-2.1-or-later
// Multiplies a constant factor of each channel (ConvNeXt's layer_scale) into weight and bias of the
// convolution or linear layer before it, which saves a walk over its result.
#include "passes/match.h"
#include "passes/pass.h"

#include <optional>
#include <string>

namespace tvw {
namespace {

/// How many dimensions follow the channels in the layer's result.
std::optional<size_t> dims_after_channels(const Op &op) {
    const auto *conv = std::get_if<op::Conv2d>(&op);
    const auto *linear = std::get_if<op::Linear>(&op);
    if (conv != nullptr && !conv->activation)
        return 2;
    if (linear != nullptr && !linear->activation)
        return 0;
    return std::nullopt;
}

/// Whether it is one number, or one for each channel.
bool is_channel_factor(const HostTensor &factor, int64_t channels, size_t after) {
    if (factor.dtype() != DType::kFloat32)
        return false;
    const Shape &shape = factor.shape();
    if (factor.numel() == 1)
        return true;
    return factor.numel() == channels && shape.size() > after &&
           shape[shape.size() - 1 - after] == channels;
}

/// Every filter times its factor.
HostTensor scaled(const HostTensor &tensor, const HostTensor &factor) {
    if (!tensor.has_data() || !factor.has_data())
        return HostTensor::shape_only(DType::kFloat32, tensor.shape());
    const HostTensor from = tensor.contiguous();
    const HostTensor by = factor.contiguous();
    HostTensor result = HostTensor::zeros(DType::kFloat32, tensor.shape());
    const auto src = from.values<float>();
    const auto dst = result.mutable_values<float>();
    const auto factors = by.values<float>();
    const size_t filter = src.size() / size_t(tensor.shape()[0]);
    for (size_t i = 0; i < dst.size(); ++i)
        dst[i] = src[i] * factors[factors.size() == 1 ? 0 : i / filter];
    return result;
}

struct Scaling {
    const Node *layer;
    const HostTensor *factor;
};

/// The layer and its factor, if nothing else sees what the layer makes.
std::optional<Scaling> find(const Rewriter &rewriter, const Node &mul) {
    const Graph &graph = rewriter.source();
    for (const size_t i : {0, 1}) {
        const Node &layer = graph.node(mul.inputs[i]);
        const HostTensor *factor = constant_of(graph, mul.inputs[1 - i]);
        const auto after = dims_after_channels(layer.op);
        if (factor == nullptr || !after || rewriter.uses(mul.inputs[i]) != 1 ||
            layer.inputs.size() > 3 || layer.type != mul.type)
            continue;
        bool constant = true;
        for (size_t j = 1; j < layer.inputs.size(); ++j)
            constant = constant && constant_of(graph, layer.inputs[j]) != nullptr;
        const int64_t channels = graph.type(layer.inputs[1]).shape[0];
        if (constant && is_channel_factor(*factor, channels, *after))
            return Scaling{&layer, factor};
    }
    return std::nullopt;
}

/// The layer keeps what followed the product.
Op with_activation(const Op &layer, const std::optional<op::ActivationKind> &activation) {
    Op result = layer;
    if (auto *conv = std::get_if<op::Conv2d>(&result))
        conv->activation = activation;
    else
        std::get<op::Linear>(result).activation = activation;
    return result;
}

ValueId visit(Rewriter &rewriter, ValueId id) {
    const Graph &graph = rewriter.source();
    const Node &node = graph.node(id);
    const auto *mul = std::get_if<op::Mul>(&node.op);
    const auto found = mul != nullptr ? find(rewriter, node) : std::nullopt;
    if (!found)
        return Rewriter::kCopy;
    const auto &[layer, factor] = *found;
    Graph &result = rewriter.result();
    constexpr std::string_view kNames[] = {"weight", "bias"};
    std::vector<ValueId> inputs{rewriter.mapped(layer->inputs[0])};
    for (size_t i = 1; i < layer->inputs.size(); ++i)
        inputs.push_back(
            result.add_constant(layer->name + ".scaled_" + std::string(kNames[i - 1]),
                                scaled(*constant_of(graph, layer->inputs[i]), *factor)));
    return rewriter.add(with_activation(layer->op, mul->activation), std::move(inputs),
                        layer->name);
}

} // namespace

Graph fold_scale(const Graph &graph) {
    return Rewriter(graph).run(visit);
}

} // namespace tvw
