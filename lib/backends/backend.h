// SPDX-License-Identifier: LGPL-2.1-or-later
// What runs a graph.
#pragma once

#include "graph/graph.h"

#include <tvw/engine.h>

#include <memory>
#include <vector>

namespace tvw {

/// A graph made ready for one device. One thread at a time, always the same one.
class Plan {
public:
    virtual ~Plan() = default;
    /// One tensor for each input of the graph, in order and of its type; the outputs in order.
    virtual std::vector<HostTensor> run(const std::vector<HostTensor> &inputs) = 0;
};

/// LibTorch's operators, one call a node: every operation, any device LibTorch has. The oracle that
/// other backends are compared with.
std::unique_ptr<Plan> make_reference_plan(const Graph &graph);

/// Sets how many threads LibTorch uses for calls from the calling thread.
void set_backend_threads(int threads);

} // namespace tvw
