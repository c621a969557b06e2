// SPDX-License-Identifier: LGPL-2.1-or-later
// Graph to graph: the passes, in the order in which they run, and what they are written with.
#pragma once

#include "graph/graph.h"

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tvw {

struct Pass {
    std::string_view name;
    Graph (*run)(const Graph &graph);
};

/// Every pass, in order.
std::span<const Pass> all_passes();
/// The graph after all of them, verified.
Graph run_passes(Graph graph);

// Each in the source of its name.
Graph drop_identity(const Graph &graph);
Graph fold_batch_norm(const Graph &graph);
Graph fuse_quantized_relu(const Graph &graph);
Graph fuse_attention(const Graph &graph);
Graph move_rows(const Graph &graph);
Graph fold_scale(const Graph &graph);
Graph fuse_epilogue(const Graph &graph);

/// A new graph made from an old one, node by node in order. What nothing uses any more is left out
/// at the end.
class Rewriter {
public:
    explicit Rewriter(const Graph &source);

    const Graph &source() const { return source_; }
    Graph &result() { return result_; }
    /// Adds a node (or a constant) to the result that takes the name of an old one, if the node
    /// that has it in the result turns out to be unused.
    ValueId add(Op op, std::vector<ValueId> inputs, const std::string &name);
    /// The new value for an old one that was visited.
    ValueId mapped(ValueId old) const { return map_[size_t(old)]; }
    /// How many nodes and outputs of the old graph use the value.
    int uses(ValueId old) const { return uses_[size_t(old)]; }

    /// For each old node: `visit` answers the new value that stands for it, or kCopy.
    static constexpr ValueId kCopy = -1;
    Graph run(const std::function<ValueId(Rewriter &, ValueId)> &visit);

private:
    ValueId copy(const Node &node);

    const Graph &source_;
    Graph result_;
    std::vector<ValueId> map_;
    std::vector<int> uses_;
    std::map<ValueId, std::string> names_; ///< of new values, where they are not left unused
};

} // namespace tvw
