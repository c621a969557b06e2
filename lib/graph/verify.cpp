// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/graph.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <set>

namespace tvw {
namespace {

[[noreturn]] void broken(const Graph &graph, const std::string &why) {
    throw Error(ErrorKind::kInternal, fmt::format("graph {} is broken: {}", graph.name(), why));
}

void verify_node(const Graph &graph, ValueId id) {
    const Node &node = graph.node(id);
    std::vector<TensorType> types;
    for (const ValueId input : node.inputs) {
        if (input < 0 || input >= id)
            broken(graph, fmt::format("\"{}\" uses value {} before it is made", node.name, input));
        types.push_back(graph.type(input));
    }
    if (!std::holds_alternative<op::Input>(node.op) && infer_type(node.op, types) != node.type)
        broken(graph, fmt::format("\"{}\" is not of its inferred type", node.name));
}

} // namespace

void verify(const Graph &graph) {
    std::set<std::string_view> names;
    for (ValueId id = 0; id < ValueId(graph.nodes().size()); ++id) {
        verify_node(graph, id);
        if (!names.insert(graph.node(id).name).second)
            broken(graph, fmt::format("two values are named \"{}\"", graph.node(id).name));
    }
    if (graph.outputs().empty())
        broken(graph, "it has no output");
    for (const auto &[name, id] : graph.outputs()) {
        if (id < 0 || id >= ValueId(graph.nodes().size()))
            broken(graph, fmt::format("output \"{}\" is no value", name));
    }
}

} // namespace tvw
