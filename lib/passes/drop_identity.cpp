// SPDX-License-Identifier: LGPL-2.1-or-later
// Removes what only training needs: dropout and stochastic depth pass their input on.
#include "passes/pass.h"

namespace tvw {

Graph drop_identity(const Graph &graph) {
    return Rewriter(graph).run([](Rewriter &rewriter, ValueId id) {
        const Node &node = rewriter.source().node(id);
        return std::holds_alternative<op::Identity>(node.op) ? rewriter.mapped(node.inputs[0])
                                                             : Rewriter::kCopy;
    });
}

} // namespace tvw
