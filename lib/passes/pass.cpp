// SPDX-License-Identifier: LGPL-2.1-or-later
#include "passes/pass.h"

namespace tvw {
namespace {

constexpr Pass kPasses[] = {
    {"drop_identity", drop_identity},
    {"fold_batch_norm", fold_batch_norm},
    {"fuse_quantized_relu", fuse_quantized_relu},
};

std::vector<int> count_uses(const Graph &graph) {
    std::vector<int> uses(graph.nodes().size());
    for (const Node &node : graph.nodes()) {
        for (const ValueId input : node.inputs)
            ++uses[size_t(input)];
    }
    for (const auto &[name, id] : graph.outputs())
        ++uses[size_t(id)];
    return uses;
}

ValueId append(Graph &graph, const Node &node, std::vector<ValueId> inputs) {
    if (std::holds_alternative<op::Input>(node.op))
        return graph.add_input(node.name, node.type);
    if (const auto *constant = std::get_if<op::Constant>(&node.op))
        return graph.add_constant(node.name, constant->tensor);
    return graph.add(node.op, std::move(inputs), node.name);
}

/// The same graph without the nodes that lead to no output; inputs stay.
Graph without_unused(const Graph &graph) {
    std::vector<bool> needed(graph.nodes().size());
    for (const auto &[name, id] : graph.outputs())
        needed[size_t(id)] = true;
    for (size_t id = graph.nodes().size(); id-- > 0;) {
        needed[id] = needed[id] || std::holds_alternative<op::Input>(graph.nodes()[id].op);
        for (const ValueId input : graph.nodes()[id].inputs)
            needed[size_t(input)] = needed[size_t(input)] || needed[id];
    }
    Graph result(graph.name());
    std::vector<ValueId> map(graph.nodes().size(), -1);
    for (size_t id = 0; id < needed.size(); ++id) {
        if (!needed[id])
            continue;
        std::vector<ValueId> inputs;
        for (const ValueId input : graph.nodes()[id].inputs)
            inputs.push_back(map[size_t(input)]);
        map[id] = append(result, graph.nodes()[id], std::move(inputs));
    }
    for (const auto &[name, id] : graph.outputs())
        result.add_output(name, map[size_t(id)]);
    return result;
}

} // namespace

std::span<const Pass> all_passes() {
    return kPasses;
}

Graph run_passes(const Graph &graph) {
    Graph result = graph;
    for (const Pass &pass : all_passes())
        result = pass.run(result);
    verify(result);
    return result;
}

Rewriter::Rewriter(const Graph &source)
    : source_(source), result_(source.name()), uses_(count_uses(source)) {}

ValueId Rewriter::copy(const Node &node) {
    std::vector<ValueId> inputs;
    for (const ValueId input : node.inputs)
        inputs.push_back(mapped(input));
    return append(result_, node, std::move(inputs));
}

Graph Rewriter::run(const std::function<ValueId(Rewriter &, ValueId)> &visit) {
    for (ValueId id = 0; id < ValueId(source_.nodes().size()); ++id) {
        const ValueId replacement = visit(*this, id);
        map_.push_back(replacement == kCopy ? copy(source_.node(id)) : replacement);
    }
    for (const auto &[name, id] : source_.outputs())
        result_.add_output(name, mapped(id));
    return without_unused(result_);
}

} // namespace tvw
