// SPDX-License-Identifier: LGPL-2.1-or-later
// What several passes look for, and views: reshapes and permutations, which move no element of
// consequence and of which two in a row are one.
#pragma once

#include "graph/graph.h"

#include <optional>
#include <vector>

namespace tvw {

/// The tensor of a constant; null for any other value.
const HostTensor *constant_of(const Graph &graph, ValueId id);
/// The number in a constant of one float32 element.
std::optional<double> scalar_of(const Graph &graph, ValueId id);

/// Whether the node is Reshape, Flatten or Permute.
bool is_view(const Node &node);

/// The value under another shape, with no more nodes than it takes.
ValueId reshaped(Graph &graph, ValueId id, const Shape &shape);
/// As Permute; dimension i of the result is dimension order[i] of the value.
ValueId permuted(Graph &graph, ValueId id, const std::vector<int64_t> &order);

/// For `view`, a view in `source`: the same of another value in `result`.
ValueId view_again(Graph &result, ValueId id, const Graph &source, ValueId view);
/// The other way: what, seen through `view`, is the value.
ValueId view_back(Graph &result, ValueId id, const Graph &source, ValueId view);

} // namespace tvw
