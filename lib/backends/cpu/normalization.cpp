// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations on vectors of the last dimension.
#include "backends/cpu/lower.h"

#include "backends/cpu/kernels/normalize.h"

namespace tvw::cpu {
namespace {

template<typename Run>
void add_rows(Planner &planner, ValueId id, const char *kernel, int64_t cost, const Run &run) {
    const View x = planner.as_rows(planner.graph().node(id).inputs[0]);
    const View y = planner.row_major_result(id);
    const int64_t channels = x.shape.back();
    const int64_t rows = numel(x.shape) / channels;
    const int64_t stride = *row_stride(x);
    planner.add({.node = id,
                 .kernel = kernel,
                 .reads = {x},
                 .writes = {y},
                 .run =
                     [=](const Memory &memory) {
                         run(rows, channels, Rows<const float>{memory.at(x), stride},
                             Rows<float>{memory.at(y), channels});
                     }},
                numel(x.shape) * cost);
}

} // namespace

void lower_layer_norm(Planner &planner, ValueId id, const op::LayerNorm &norm) {
    const Node &node = planner.graph().node(id);
    const HostTensor *weight = planner.constant(node.inputs[1]);
    const HostTensor *bias = planner.constant(node.inputs[2]);
    if (weight == nullptr || bias == nullptr)
        return lower_aten(planner, id);
    add_rows(planner, id, "layer norm", 12,
             [w = weight->contiguous(), b = bias->contiguous(), eps = float(norm.eps)](
                 int64_t rows, int64_t channels, Rows<const float> x, Rows<float> y) {
                 layer_norm(rows, channels, x, w.values<float>().data(), b.values<float>().data(),
                            eps, y);
             });
}

void lower_softmax(Planner &planner, ValueId id) {
    add_rows(planner, id, "softmax", 20,
             [](int64_t rows, int64_t channels, Rows<const float> x, Rows<float> y) {
                 softmax(rows, channels, x, y);
             });
}

void lower_normalize(Planner &planner, ValueId id, const op::Normalize &op) {
    add_rows(planner, id, "normalize", 8,
             [eps = float(op.eps)](int64_t rows, int64_t channels, Rows<const float> x,
                                   Rows<float> y) { normalize(rows, channels, x, eps, y); });
}

} // namespace tvw::cpu
