// SPDX-License-Identifier: LGPL-2.1-or-later
// Concatenation without copying: parts are written where the whole will lie.
#pragma once

#include "graph/graph.h"

#include <map>

namespace tvw::cpu {

/// The part of a concatenation that a value is written to.
struct Placement {
    ValueId concat;
    int64_t start; ///< in the concatenated dimension
};

/// For the parts of every concatenation of image channels that can be written in place. Of several
/// concatenations of one value the last counts: DenseNet's earlier ones are parts of it.
std::map<ValueId, Placement> place_parts(const Graph &graph);

} // namespace tvw::cpu
