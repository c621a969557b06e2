// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/lower.h"

namespace tvw::cpu {
namespace {

/// The operations and who plans them.
struct Lower {
    Planner &planner;
    ValueId id;

    View input() const { return planner.view(planner.graph().node(id).inputs[0]); }

    void operator()(const op::Input & /*op*/) const {}
    void operator()(const op::Constant & /*op*/) const {}
    void operator()(const op::Identity & /*op*/) const { planner.alias(id, input()); }
    void operator()(const op::Conv2d &conv) const { lower_conv(planner, id, conv); }
    void operator()(const op::Linear &linear) const { lower_linear(planner, id, linear); }
    void operator()(const op::MatMul & /*op*/) const { lower_matmul(planner, id); }
    void operator()(const op::Attention &attention) const {
        lower_attention(planner, id, attention);
    }
    void operator()(const op::Add &add) const {
        lower_combine(planner, id, /*multiply=*/false, add.activation);
    }
    void operator()(const op::Mul &mul) const {
        lower_combine(planner, id, /*multiply=*/true, mul.activation);
    }
    void operator()(const op::Activation &activation) const {
        lower_activation(planner, id, activation);
    }
    void operator()(const op::BatchNorm &norm) const { lower_batch_norm(planner, id, norm); }
    void operator()(const op::LayerNorm &norm) const { lower_layer_norm(planner, id, norm); }
    void operator()(const op::Softmax & /*op*/) const { lower_softmax(planner, id); }
    void operator()(const op::Normalize &op) const { lower_normalize(planner, id, op); }
    void operator()(const op::MaxPool2d &pool) const { lower_max_pool(planner, id, pool); }
    void operator()(const op::AvgPool2d &pool) const { lower_avg_pool(planner, id, pool); }
    void operator()(const op::AdaptiveAvgPool2d &pool) const {
        lower_adaptive_pool(planner, id, pool);
    }
    void operator()(const op::SpatialMean & /*op*/) const { lower_mean(planner, id); }
    void operator()(const op::Flatten & /*op*/) const { lower_reshape(planner, id); }
    void operator()(const op::Reshape & /*op*/) const { lower_reshape(planner, id); }
    void operator()(const op::Permute &permute) const {
        planner.alias(id, permuted(input(), permute.order));
    }
    void operator()(const op::Slice &slice) const {
        planner.alias(id, sliced(input(), slice.dim, slice.start, slice.end, slice.step));
    }
    void operator()(const op::Concat &concat) const { lower_concat(planner, id, concat); }
    void operator()(const op::PadEnd & /*op*/) const { lower_pad_end(planner, id); }
    void operator()(const op::Roll &roll) const { lower_roll(planner, id, roll); }
    template<typename Other>
    void operator()(const Other & /*op*/) const {
        lower_aten(planner, id);
    }
};

} // namespace

void lower(Planner &planner, ValueId id) {
    if (!fold_constant(planner, id))
        std::visit(Lower{planner, id}, planner.graph().node(id).op);
}

} // namespace tvw::cpu
