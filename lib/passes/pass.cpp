// SPDX-License-Identifier: LGPL-2.1-or-later
#include "passes/pass.h"

#include <set>

namespace tvw {
namespace {

constexpr Pass kPasses[] = {
    {"drop_identity", drop_identity},
    {"fold_batch_norm", fold_batch_norm},
    {"fuse_quantized_relu", fuse_quantized_relu},
    {"fuse_attention", fuse_attention}, // before scalars that it takes are folded elsewhere
    {"move_rows", move_rows},           // brings layers together with their scales and residuals
    {"fold_scale", fold_scale},
    {"fuse_epilogue", fuse_epilogue},
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

ValueId append(Graph &graph, const Node &node, std::vector<ValueId> inputs,
               const std::string &name) {
    if (std::holds_alternative<op::Input>(node.op))
        return graph.add_input(name, node.type);
    if (const auto *constant = std::get_if<op::Constant>(&node.op))
        return graph.add_constant(name, constant->tensor);
    return graph.add(node.op, std::move(inputs), name);
}

/// By node, whether it leads to an output; inputs count as if they did.
std::vector<bool> needed_nodes(const Graph &graph) {
    std::vector<bool> needed(graph.nodes().size());
    for (const auto &[name, id] : graph.outputs())
        needed[size_t(id)] = true;
    for (size_t id = graph.nodes().size(); id-- > 0;) {
        needed[id] = needed[id] || std::holds_alternative<op::Input>(graph.nodes()[id].op);
        for (const ValueId input : graph.nodes()[id].inputs)
            needed[size_t(input)] = needed[size_t(input)] || needed[id];
    }
    return needed;
}

/// The same graph without the nodes that lead to no output; inputs stay. `names` are for nodes
/// whose name is free then.
Graph without_unused(const Graph &graph, const std::map<ValueId, std::string> &names) {
    const std::vector<bool> needed = needed_nodes(graph);
    std::set<std::string_view> taken;
    for (size_t id = 0; id < needed.size(); ++id) {
        if (needed[id])
            taken.insert(graph.nodes()[id].name);
    }
    Graph result(graph.name());
    std::vector<ValueId> map(graph.nodes().size(), -1);
    for (size_t id = 0; id < needed.size(); ++id) {
        if (!needed[id])
            continue;
        const Node &node = graph.nodes()[id];
        const auto wanted = names.find(ValueId(id));
        const bool free = wanted != names.end() && taken.insert(wanted->second).second;
        std::vector<ValueId> inputs;
        for (const ValueId input : node.inputs)
            inputs.push_back(map[size_t(input)]);
        map[id] = append(result, node, std::move(inputs), free ? wanted->second : node.name);
    }
    for (const auto &[name, id] : graph.outputs())
        result.add_output(name, map[size_t(id)]);
    return result;
}

} // namespace

std::span<const Pass> all_passes() {
    return kPasses;
}

Graph run_passes(Graph graph) {
    for (const Pass &pass : all_passes())
        graph = pass.run(graph);
    verify(graph);
    return graph;
}

Rewriter::Rewriter(const Graph &source)
    : source_(source), result_(source.name()), uses_(count_uses(source)) {}

ValueId Rewriter::copy(const Node &node) {
    std::vector<ValueId> inputs;
    for (const ValueId input : node.inputs)
        inputs.push_back(mapped(input));
    return append(result_, node, std::move(inputs), node.name);
}

ValueId Rewriter::add(Op op, std::vector<ValueId> inputs, const std::string &name) {
    auto *constant = std::get_if<op::Constant>(&op);
    const ValueId id = constant != nullptr ? result_.add_constant(name, std::move(constant->tensor))
                                           : result_.add(std::move(op), std::move(inputs), name);
    names_.emplace(id, name);
    return id;
}

Graph Rewriter::run(const std::function<ValueId(Rewriter &, ValueId)> &visit) {
    for (ValueId id = 0; id < ValueId(source_.nodes().size()); ++id) {
        const ValueId replacement = visit(*this, id);
        map_.push_back(replacement == kCopy ? copy(source_.node(id)) : replacement);
    }
    for (const auto &[name, id] : source_.outputs())
        result_.add_output(name, mapped(id));
    return without_unused(result_, names_);
}

} // namespace tvw
