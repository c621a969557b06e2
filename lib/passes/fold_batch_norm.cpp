// SPDX-License-Identifier: LGPL-2.1-or-later
// Multiplies a batch norm into the convolution before it: in evaluation mode it is
// y = (x - mean) · weight / √(variance + eps) + bias, linear per output channel.
#include "passes/match.h"
#include "passes/pass.h"

#include <cmath>

namespace tvw {
namespace {

/// The convolution, if the norm may be folded into it: nothing else sees its result.
const Node *foldable(const Rewriter &rewriter, const Node &norm) {
    const Graph &graph = rewriter.source();
    const Node &conv = graph.node(norm.inputs[0]);
    const auto *op = std::get_if<op::Conv2d>(&conv.op);
    if (op == nullptr || op->activation || conv.inputs.size() > 3 ||
        rewriter.uses(norm.inputs[0]) != 1)
        return nullptr;
    for (size_t i = 1; i < norm.inputs.size(); ++i) {
        if (constant_of(graph, norm.inputs[i]) == nullptr)
            return nullptr;
    }
    for (size_t i = 1; i < conv.inputs.size(); ++i) {
        if (constant_of(graph, conv.inputs[i]) == nullptr)
            return nullptr;
    }
    return &conv;
}

/// Weight and bias of the convolution that does both; double precision, rounded once.
struct Folded {
    HostTensor weight;
    HostTensor bias;
};

Folded fold(const Graph &graph, const Node &conv, const Node &norm) {
    const HostTensor &weight = *constant_of(graph, conv.inputs[1]);
    const Shape channels{weight.shape()[0]};
    if (!weight.has_data())
        return {weight, HostTensor::shape_only(DType::kFloat32, channels)};

    const auto parameter = [&](size_t i) {
        return constant_of(graph, norm.inputs[i])->values<float>();
    };
    const auto gamma = parameter(1);
    const auto beta = parameter(2);
    const auto mean = parameter(3);
    const auto variance = parameter(4);
    const double eps = std::get<op::BatchNorm>(norm.op).eps;
    const bool biased = conv.inputs.size() == 3;

    Folded folded{HostTensor::zeros(DType::kFloat32, weight.shape()),
                  HostTensor::zeros(DType::kFloat32, channels)};
    const auto src = weight.values<float>();
    const auto dst = folded.weight.mutable_values<float>();
    const auto bias = folded.bias.mutable_values<float>();
    const size_t filter = src.size() / bias.size();
    for (size_t c = 0; c < bias.size(); ++c) {
        const double scale = double(gamma[c]) / std::sqrt(double(variance[c]) + eps);
        for (size_t i = c * filter; i < (c + 1) * filter; ++i)
            dst[i] = float(double(src[i]) * scale);
        const double before =
            biased ? double(constant_of(graph, conv.inputs[2])->values<float>()[c]) : 0;
        bias[c] = float((before - double(mean[c])) * scale + double(beta[c]));
    }
    return folded;
}

ValueId visit(Rewriter &rewriter, ValueId id) {
    const Graph &graph = rewriter.source();
    const Node &norm = graph.node(id);
    if (!std::holds_alternative<op::BatchNorm>(norm.op))
        return Rewriter::kCopy;
    const Node *conv = foldable(rewriter, norm);
    if (conv == nullptr)
        return Rewriter::kCopy;
    Folded folded = fold(graph, *conv, norm);
    Graph &result = rewriter.result();
    const ValueId weight =
        result.add_constant(conv->name + ".folded_weight", std::move(folded.weight));
    const ValueId bias = result.add_constant(conv->name + ".folded_bias", std::move(folded.bias));
    auto op = std::get<op::Conv2d>(conv->op);
    op.activation = std::get<op::BatchNorm>(norm.op).activation;
    return result.add(std::move(op), {rewriter.mapped(conv->inputs[0]), weight, bias}, norm.name);
}

} // namespace

Graph fold_batch_norm(const Graph &graph) {
    return Rewriter(graph).run(visit);
}

} // namespace tvw
