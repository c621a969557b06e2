// SPDX-License-Identifier: LGPL-2.1-or-later
// Removes what passes its input on: dropout and stochastic depth, which only training needs, and
// padding, slices, rolls and reshapes that these sizes leave nothing to do for.
#include "passes/pass.h"

#include <algorithm>

namespace tvw {
namespace {

/// Whether an operation that keeps every element keeps each in its place too.
bool keeps_places(const Op &op) {
    if (const auto *roll = std::get_if<op::Roll>(&op))
        return roll->shifts == Size2{0, 0};
    if (const auto *permute = std::get_if<op::Permute>(&op))
        return std::is_sorted(permute->order.begin(), permute->order.end());
    return std::holds_alternative<op::Reshape>(op) || std::holds_alternative<op::Flatten>(op) ||
           std::holds_alternative<op::PadEnd>(op) || std::holds_alternative<op::Slice>(op);
}

ValueId visit(Rewriter &rewriter, ValueId id) {
    const Graph &graph = rewriter.source();
    const Node &node = graph.node(id);
    if (std::holds_alternative<op::Identity>(node.op))
        return rewriter.mapped(node.inputs[0]);
    if (keeps_places(node.op) && graph.type(node.inputs[0]) == node.type)
        return rewriter.mapped(node.inputs[0]);
    return Rewriter::kCopy;
}

} // namespace

Graph drop_identity(const Graph &graph) {
    return Rewriter(graph).run(visit);
}

} // namespace tvw
