// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/graph.h"

#include <tvw/error.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tvw {

std::string type_text(const TensorType &type) {
    std::string text = fmt::format("{} [{}]", dtype_name(type.dtype), fmt::join(type.shape, ", "));
    if (type.affine)
        text += fmt::format(" scale={} zero_point={}", float(type.affine->scale),
                            type.affine->zero_point);
    return text;
}

ValueId Graph::add_input(std::string name, TensorType type) {
    return append({op::Input{}, {}, std::move(type), unique_name(std::move(name), "input")});
}

ValueId Graph::add_constant(std::string name, HostTensor tensor) {
    TensorType type{tensor.dtype(), tensor.shape()};
    return append({op::Constant{std::move(tensor)},
                   {},
                   std::move(type),
                   unique_name(std::move(name), "constant")});
}

void Graph::forget_bytes(ValueId constant) {
    auto &tensor = std::get<op::Constant>(nodes_[size_t(constant)].op).tensor;
    tensor = HostTensor::shape_only(tensor.dtype(), tensor.shape());
}

ValueId Graph::add(Op op, std::vector<ValueId> inputs, std::string name) {
    std::vector<TensorType> types;
    types.reserve(inputs.size());
    for (const ValueId input : inputs)
        types.push_back(type(input));
    std::string unique = unique_name(std::move(name), op_name(op));
    try {
        TensorType result = infer_type(op, types);
        return append({std::move(op), std::move(inputs), std::move(result), std::move(unique)});
    } catch (const Error &error) {
        throw Error(error.kind(),
                    fmt::format("{}: {} \"{}\": {}", name_, op_name(op), unique, error.what()));
    }
}

ValueId Graph::append(Node node) {
    const auto id = ValueId(nodes_.size());
    names_.emplace(node.name, id);
    nodes_.push_back(std::move(node));
    return id;
}

std::string Graph::unique_name(std::string wanted, std::string_view op) {
    if (!wanted.empty() && !names_.contains(wanted))
        return wanted;
    return fmt::format("{}{}{}_{}", wanted, wanted.empty() ? "" : ".", op, nodes_.size());
}

} // namespace tvw
