// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets a quantized convolution or sum do the ReLU that follows it. To the bit: both clamp at the
// zero point what is rounded already.
#include "passes/pass.h"

namespace tvw {
namespace {

/// The operation with the ReLU in it; none where it has no such form, or has it already.
std::optional<Op> with_relu(const Op &op) {
    const auto fused = []<typename T>(const T &known) -> std::optional<Op> {
        if constexpr (requires { known.relu; }) {
            T result = known;
            result.relu = true;
            return result;
        } else {
            return std::nullopt;
        }
    };
    return std::visit(fused, op);
}

ValueId visit(Rewriter &rewriter, ValueId id) {
    const Graph &graph = rewriter.source();
    const Node &relu = graph.node(id);
    const auto *activation = std::get_if<op::Activation>(&relu.op);
    if (activation == nullptr || activation->kind != op::ActivationKind::kRelu)
        return Rewriter::kCopy;
    const Node &before = graph.node(relu.inputs[0]);
    std::optional<Op> fused = with_relu(before.op);
    if (!fused || rewriter.uses(relu.inputs[0]) != 1)
        return Rewriter::kCopy;
    std::vector<ValueId> inputs;
    for (const ValueId input : before.inputs)
        inputs.push_back(rewriter.mapped(input));
    return rewriter.result().add(*std::move(fused), std::move(inputs), before.name + ".relu");
}

} // namespace

Graph fuse_quantized_relu(const Graph &graph) {
    return Rewriter(graph).run(visit);
}

} // namespace tvw
