// SPDX-License-Identifier: LGPL-2.1-or-later
// Products of two matrices that are both computed: the second is packed in each run.
#include "backends/cpu/lower.h"

#include "backends/cpu/kernels/gemm.h"
#include "graph/operations.h"

namespace tvw::cpu {
namespace {

/// A stack of matrices; `steps` are those of the result's leading dimensions, 0 where all results
/// share one matrix.
struct Matrices {
    View view;
    std::vector<int64_t> steps;
    int64_t row;
    int64_t column;

    /// Of matrix `number` of the result's.
    int64_t offset(int64_t number, const Shape &result) const {
        int64_t offset = 0;
        for (size_t dim = steps.size(); dim-- > 0; number /= result[dim])
            offset += number % result[dim] * steps[dim];
        return offset;
    }
};

Matrices matrices(const View &view, size_t rank) {
    const size_t missing = rank - view.shape.size();
    std::vector<int64_t> steps(rank - 2, 0);
    for (size_t dim = missing; dim + 2 < rank; ++dim)
        steps[dim] = view.shape[dim - missing] == 1 ? 0 : view.strides[dim - missing];
    return {view, steps, view.strides.end()[-2], view.strides.back()};
}

} // namespace

void lower_matmul(Planner &planner, ValueId id) {
    const Node &node = planner.graph().node(id);
    const Shape &shape = node.type.shape;
    if (planner.graph().type(node.inputs[0]).shape.size() < 2 ||
        planner.graph().type(node.inputs[1]).shape.size() < 2)
        return lower_aten(planner, id);
    View x = planner.view(node.inputs[0]);
    if (x.strides.back() != 1)
        x = planner.as_row_major(node.inputs[0]);
    const Matrices a = matrices(x, shape.size());
    const Matrices b = matrices(planner.view(node.inputs[1]), shape.size());
    const View y = planner.row_major_result(id);
    const int64_t rows = shape.end()[-2];
    const int64_t out = shape.back();
    const int64_t in = x.shape.back();
    const View packed = planner.scratch(panels_of(out) * in * kPanel);
    planner.add({.node = id,
                 .kernel = "GEMM, packed in each run",
                 .reason = "both matrices are computed",
                 .reads = {a.view, b.view},
                 .writes = {y, packed},
                 .run =
                     [=](const Memory &memory) {
                         float *panels = memory.at(packed);
                         std::fill_n(panels, panels_of(out) * in * kPanel, 0.0f);
                         for (int64_t i = 0; i < numel(shape) / (rows * out); ++i) {
                             pack_panels(memory.at(b.view) + b.offset(i, shape), out, b.column, in,
                                         b.row, panels);
                             multiply({memory.at(a.view) + a.offset(i, shape),
                                       a.row,
                                       rows,
                                       memory.at(y) + i * rows * out,
                                       out,
                                       panels,
                                       out,
                                       in,
                                       {}});
                         }
                     }},
                flops(planner.graph(), id));
}

} // namespace tvw::cpu
