// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "nn/scope.h"

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace tvw::nn {

/// Adds an operation to the graph that its first input belongs to.
inline Value emit(Op op, std::span<const Value> inputs, std::string name = {}) {
    Graph &graph = *inputs.front().graph;
    std::vector<ValueId> ids;
    for (const Value &input : inputs)
        ids.push_back(input.id);
    return {&graph, graph.add(std::move(op), std::move(ids), std::move(name))};
}

inline Value emit(Op op, std::initializer_list<Value> inputs, std::string name = {}) {
    return emit(std::move(op), std::span(inputs.begin(), inputs.size()), std::move(name));
}

} // namespace tvw::nn
