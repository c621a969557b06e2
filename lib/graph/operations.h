// SPDX-License-Identifier: LGPL-2.1-or-later
// How much there is to compute: what times are compared with.
#pragma once

#include "graph/graph.h"

namespace tvw {

/// Multiplications and additions of convolutions, linear layers, matrix products and attention,
/// quantized ones included: two for each product. 0 for all else, which memory bounds.
int64_t flops(const Graph &graph, ValueId id);
/// The sum over the nodes that lead to an output.
double flops(const Graph &graph);

} // namespace tvw
