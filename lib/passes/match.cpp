// SPDX-License-Identifier: LGPL-2.1-or-later
#include "passes/match.h"

namespace tvw {
namespace {

bool is_identity(const std::vector<int64_t> &order) {
    for (size_t i = 0; i < order.size(); ++i) {
        if (order[i] != int64_t(i))
            return false;
    }
    return true;
}

std::vector<int64_t> inverse(const std::vector<int64_t> &order) {
    std::vector<int64_t> result(order.size());
    for (size_t i = 0; i < order.size(); ++i)
        result[size_t(order[i])] = int64_t(i);
    return result;
}

bool is_reshape(const Node &node) {
    return std::holds_alternative<op::Reshape>(node.op) ||
           std::holds_alternative<op::Flatten>(node.op);
}

} // namespace

const HostTensor *constant_of(const Graph &graph, ValueId id) {
    const auto *found = std::get_if<op::Constant>(&graph.node(id).op);
    return found != nullptr ? &found->tensor : nullptr;
}

std::optional<double> scalar_of(const Graph &graph, ValueId id) {
    const HostTensor *tensor = constant_of(graph, id);
    if (tensor == nullptr || tensor->numel() != 1 || !tensor->has_data() ||
        tensor->dtype() != DType::kFloat32)
        return std::nullopt;
    return double(tensor->contiguous().values<float>()[0]);
}

bool is_view(const Node &node) {
    return is_reshape(node) || std::holds_alternative<op::Permute>(node.op);
}

ValueId reshaped(Graph &graph, ValueId id, const Shape &shape) {
    while (is_reshape(graph.node(id)))
        id = graph.node(id).inputs[0];
    return graph.type(id).shape == shape ? id : graph.add(op::Reshape{shape}, {id});
}

ValueId permuted(Graph &graph, ValueId id, const std::vector<int64_t> &order) {
    std::vector<int64_t> whole = order;
    if (const auto *before = std::get_if<op::Permute>(&graph.node(id).op)) {
        for (int64_t &dim : whole)
            dim = before->order[size_t(dim)];
        id = graph.node(id).inputs[0];
    }
    return is_identity(whole) ? id : graph.add(op::Permute{std::move(whole)}, {id});
}

ValueId view_again(Graph &result, ValueId id, const Graph &source, ValueId view) {
    if (const auto *permute = std::get_if<op::Permute>(&source.node(view).op))
        return permuted(result, id, permute->order);
    return reshaped(result, id, source.type(view).shape);
}

ValueId view_back(Graph &result, ValueId id, const Graph &source, ValueId view) {
    if (const auto *permute = std::get_if<op::Permute>(&source.node(view).op))
        return permuted(result, id, inverse(permute->order));
    return reshaped(result, id, source.type(source.node(view).inputs[0]).shape);
}

} // namespace tvw
