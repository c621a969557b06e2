// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/operations.h"

namespace tvw {
namespace {

/// Products that are summed up for the result of a node.
struct ProductsOf {
    const Graph &graph;
    const Node &node;

    const Shape &input(size_t index) const { return graph.type(node.inputs[index]).shape; }
    int64_t result() const { return numel(node.type.shape); }
    /// Each element takes the weight's elements for one output channel or feature.
    int64_t weighted() const {
        const int64_t outputs = input(1)[0];
        return outputs == 0 ? 0 : result() * (numel(input(1)) / outputs);
    }

    int64_t operator()(const op::Conv2d & /*conv*/) const { return weighted(); }
    int64_t operator()(const op::Linear & /*linear*/) const { return weighted(); }
    int64_t operator()(const op::QuantizedConv2d & /*conv*/) const { return weighted(); }
    int64_t operator()(const op::QuantizedLinear & /*linear*/) const { return weighted(); }
    int64_t operator()(const op::MatMul & /*matmul*/) const { return result() * input(0).back(); }
    int64_t operator()(const op::Attention &attention) const {
        const int64_t tokens = attention.rows ? attention.tokens : input(1)[2];
        return (numel(input(0)) + result()) * tokens;
    }
    template<typename Other>
    int64_t operator()(const Other & /*bound by memory*/) const {
        return 0;
    }
};

std::vector<bool> lead_to_output(const Graph &graph) {
    std::vector<bool> needed(graph.nodes().size());
    for (const auto &[name, id] : graph.outputs())
        needed[size_t(id)] = true;
    for (size_t id = needed.size(); id-- > 0;) {
        if (!needed[id])
            continue;
        for (const ValueId input : graph.nodes()[id].inputs)
            needed[size_t(input)] = true;
    }
    return needed;
}

} // namespace

int64_t flops(const Graph &graph, ValueId id) {
    const Node &node = graph.node(id);
    return 2 * std::visit(ProductsOf{graph, node}, node.op);
}

double flops(const Graph &graph) {
    const std::vector<bool> needed = lead_to_output(graph);
    double sum = 0;
    for (size_t id = 0; id < needed.size(); ++id) {
        if (needed[id])
            sum += double(flops(graph, ValueId(id)));
    }
    return sum;
}

} // namespace tvw
