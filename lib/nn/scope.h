// SPDX-License-Identifier: LGPL-2.1-or-later
// A place in a network: the path that prefixes state-dict keys, and what layers there need.
#pragma once

#include "graph/graph.h"
#include "nn/parameters.h"

#include <string>
#include <string_view>

namespace tvw::nn {

/// A value of the graph under construction; as cheap as its index.
struct Value {
    Graph *graph = nullptr;
    ValueId id = 0;

    Shape shape() const { return graph->type(id).shape; }
    /// Channels of [N, C, …].
    int64_t channels() const { return shape().at(1); }
};

/// What a family's constructor initialises its layers with.
struct InitScheme {
    Init conv_weight = Init::kDefault;
    Init conv_bias = Init::kDefault;
    Init linear_weight = Init::kDefault;
    Init linear_bias = Init::kDefault;
};

class Scope {
public:
    Scope(Graph &graph, ParameterSource &source) : graph_(&graph), source_(&source) {}

    /// The scope of a child module: `s / "layer1" / 0`.
    Scope operator/(std::string_view name) const;
    Scope operator/(int64_t index) const { return *this / std::to_string(index); }
    Scope with_init(const InitScheme &init) const;

    const std::string &path() const { return path_; }
    const InitScheme &init() const { return init_; }
    Graph &graph() const { return *graph_; }

    /// A learnt tensor below this path; `weight` is the shape its initialisation looks at.
    Value parameter(std::string_view name, const Shape &shape, const Init &init,
                    const Shape &weight) const;
    /// A tensor that training keeps but does not learn.
    Value buffer(std::string_view name, const Shape &shape, double initial) const;
    /// A buffer of known initial values, of any dtype.
    Value buffer(std::string_view name, const HostTensor &initial) const;
    /// A key that checkpoints may hold and inference does not need.
    void expect_counter(std::string_view name) const;

private:
    std::string key(std::string_view name) const;

    Graph *graph_;
    ParameterSource *source_;
    std::string path_;
    InitScheme init_;
};

} // namespace tvw::nn
