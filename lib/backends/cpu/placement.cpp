// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/placement.h"

namespace tvw::cpu {
namespace {

/// Whether the operation computes new image elements, so that it may write them anywhere; the
/// others pass on elements of their inputs.
bool writes_image(const Node &node) {
    if (node.type.shape.size() != 4)
        return false;
    return std::holds_alternative<op::Conv2d>(node.op) ||
           std::holds_alternative<op::BatchNorm>(node.op) ||
           std::holds_alternative<op::MaxPool2d>(node.op) ||
           std::holds_alternative<op::AvgPool2d>(node.op);
}

} // namespace

std::map<ValueId, Placement> place_parts(const Graph &graph) {
    std::map<ValueId, Placement> placements;
    for (auto id = ValueId(graph.nodes().size()); id-- > 0;) {
        const Node &node = graph.node(id);
        const auto *concat = std::get_if<op::Concat>(&node.op);
        if (concat == nullptr || concat->dim != 1 || node.type.shape.size() != 4)
            continue;
        int64_t start = 0;
        for (const ValueId part : node.inputs) {
            if (writes_image(graph.node(part)))
                placements.try_emplace(part, Placement{id, start});
            start += graph.type(part).shape[1];
        }
    }
    return placements;
}

} // namespace tvw::cpu
