// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tvw {
namespace {

bool is_constant(const Node &node) {
    return std::holds_alternative<op::Constant>(node.op);
}

std::string reference(const Graph &graph, ValueId id) {
    const Node &node = graph.node(id);
    return is_constant(node) ? fmt::format("{}{}", node.name, node.type.shape) : "%" + node.name;
}

/// Text within a label of Graphviz.
std::string escaped(const std::string &text) {
    std::string result;
    for (const char c : text)
        result += c == '\n' ? "\\n" : c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    return result;
}

} // namespace

std::string to_text(const Graph &graph) {
    std::string text = fmt::format("graph {}\n", graph.name());
    for (const Node &node : graph.nodes()) {
        if (is_constant(node))
            continue;
        std::vector<std::string> inputs;
        for (const ValueId input : node.inputs)
            inputs.push_back(reference(graph, input));
        const std::string attributes = op_attributes(node.op);
        text += fmt::format("  %{} = {}({}){}{} : {}\n", node.name, op_name(node.op),
                            fmt::join(inputs, ", "), attributes.empty() ? "" : " ", attributes,
                            type_text(node.type));
    }
    for (const auto &[name, id] : graph.outputs())
        text += fmt::format("  {} = %{}\n", name, graph.node(id).name);
    return text;
}

std::string to_dot(const Graph &graph, const std::function<Decoration(const Node &)> &decorate) {
    std::string text =
        fmt::format("digraph \"{}\" {{\n  node [shape=box, fontname=\"sans\"];\n", graph.name());
    for (size_t id = 0; id < graph.nodes().size(); ++id) {
        const Node &node = graph.nodes()[id];
        if (is_constant(node))
            continue;
        const std::string attributes = op_attributes(node.op);
        const auto [more, fill] = decorate ? decorate(node) : Decoration{};
        text += fmt::format("  n{} [label=\"{}\\n{}{}{}\\n{}{}\"{}];\n", id, node.name,
                            op_name(node.op), attributes.empty() ? "" : " ", attributes,
                            type_text(node.type), more.empty() ? "" : "\\n" + escaped(more),
                            fill.empty() ? "" : ", style=filled, fillcolor=\"" + fill + "\"");
        for (const ValueId input : node.inputs) {
            if (!is_constant(graph.node(input)))
                text += fmt::format("  n{} -> n{};\n", input, id);
        }
    }
    for (const auto &[name, id] : graph.outputs())
        text += fmt::format("  \"{}\" [shape=ellipse];\n  n{} -> \"{}\";\n", name, id, name);
    return text + "}\n";
}

} // namespace tvw
