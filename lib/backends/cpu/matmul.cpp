// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/lower.h"
#include "backends/cpu/onednn.h"
#include "graph/operations.h"

namespace tvw::cpu {
namespace {

/// Ones before the shape until it has this rank.
View with_rank(View view, size_t rank) {
    while (view.shape.size() < rank) {
        view.shape.insert(view.shape.begin(), 1);
        view.strides.insert(view.strides.begin(), 0);
    }
    return view;
}

/// oneDNN takes matrices of which one dimension lies without gaps.
bool is_matrix(const View &view) {
    const size_t rank = view.shape.size();
    return view.strides[rank - 1] == 1 || view.strides[rank - 2] == 1;
}

View matrix(Planner &planner, ValueId id) {
    const View view = planner.view(id);
    return is_matrix(view) ? view : planner.as_row_major(id);
}

} // namespace

void lower_matmul(Planner &planner, ValueId id) {
    const Node &node = planner.graph().node(id);
    const size_t rank = node.type.shape.size();
    if (planner.graph().type(node.inputs[0]).shape.size() < 2 ||
        planner.graph().type(node.inputs[1]).shape.size() < 2)
        return lower_aten(planner, id);
    const View a = with_rank(matrix(planner, node.inputs[0]), rank);
    const View b = with_rank(matrix(planner, node.inputs[1]), rank);
    const View y = planner.row_major_result(id);
    const dnnl::matmul::primitive_desc primitive(onednn_engine(), desc_of(a), desc_of(b),
                                                 desc_of(y), epilogue_attr({}, {}),
                                                 /*allow_empty=*/true);
    if (!primitive)
        return lower_aten(planner, id);
    OneDnnCall call(dnnl::primitive(primitive.get()), primitive.scratchpad_desc(), planner);
    call.add(DNNL_ARG_SRC, desc_of(a), a);
    call.add(DNNL_ARG_WEIGHTS, desc_of(b), b);
    call.add(DNNL_ARG_DST, desc_of(y), y);
    std::vector<View> writes = call.scratch();
    writes.push_back(y);
    planner.add({.node = id,
                 .kernel = std::string("oneDNN ") + primitive.impl_info_str(),
                 .reads = {a, b},
                 .writes = std::move(writes),
                 .run = std::move(call)},
                flops(planner.graph(), id));
}

} // namespace tvw::cpu
