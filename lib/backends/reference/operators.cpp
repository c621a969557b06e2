// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/reference/operators.h"

#include "backends/reference/quantized.h"

#include <ATen/Functions.h>

namespace tvw {
namespace {

using Inputs = std::span<const at::Tensor>;

/// An input that may not be there.
std::optional<at::Tensor> optional_input(Inputs in, size_t index) {
    return in.size() > index ? std::optional(in[index]) : std::nullopt;
}

at::Tensor activated(const at::Tensor &x, op::ActivationKind kind) {
    using Kind = op::ActivationKind;
    switch (kind) {
    case Kind::kRelu:
        return at::relu(x);
    case Kind::kRelu6:
        return at::hardtanh(x, 0, 6);
    case Kind::kSilu:
        return at::silu(x);
    case Kind::kSigmoid:
        return at::sigmoid(x);
    case Kind::kHardswish:
        return at::hardswish(x);
    case Kind::kHardsigmoid:
        return at::hardsigmoid(x);
    case Kind::kGelu:
        return at::gelu(x);
    case Kind::kTanh:
        return at::tanh(x);
    case Kind::kExp:
        return at::exp(x);
    }
    return x;
}

/// What follows inside an operation: activation(x + residual), where it has either.
at::Tensor finished(at::Tensor x, const std::optional<at::Tensor> &residual,
                    const std::optional<op::ActivationKind> &activation) {
    if (residual)
        x = at::add(x, *residual);
    return activation ? activated(x, *activation) : x;
}

at::Tensor attended(double scale, Inputs in) {
    at::Tensor scores = at::matmul(at::mul(in[0], scale), at::transpose(in[1], 2, 3));
    for (const at::Tensor &term : in.subspan(3)) {
        const int64_t repeats = scores.size(0) / term.size(0);
        scores = at::add(scores, term.repeat({repeats, 1, 1, 1}));
    }
    const at::Tensor mixed = at::matmul(at::softmax(scores, -1), in[2]);
    return at::flatten(at::transpose(mixed, 1, 2), 2);
}

/// Gathers the groups, and scatters their results to the same rows.
at::Tensor attended_rows(const op::Attention &attention, Inputs in) {
    const at::Tensor rows =
        at::tensor(at::ArrayRef<int32_t>(*attention.rows), at::TensorOptions(at::kLong));
    std::vector<at::Tensor> grouped(in.begin(), in.end());
    for (at::Tensor &part : std::span(grouped).first(3)) {
        const auto sizes = part.sizes();
        part = at::reshape(at::index_select(part, 0, rows),
                           {-1, attention.tokens, sizes[1], sizes[2]});
        part = at::transpose(part, 1, 2);
    }
    const at::Tensor result = at::flatten(attended(attention.scale, grouped), 0, 1);
    return at::index_copy(at::empty_like(result), 0, rows, result);
}

struct Call {
    Inputs in;
    const c10::IValue &packed;

    at::Tensor operator()(const op::Input & /*op*/) const { return in[0]; }
    at::Tensor operator()(const op::Constant & /*op*/) const { return in[0]; }
    at::Tensor operator()(const op::Conv2d &conv) const {
        const auto &[top, left, bottom, right] = conv.padding;
        at::Tensor x = in[0];
        Size2 padding{top, left};
        if (top != bottom || left != right) {
            x = at::constant_pad_nd(x, {left, right, top, bottom});
            padding = {0, 0};
        }
        return finished(at::conv2d(x, in[1], optional_input(in, 2), conv.stride, padding,
                                   conv.dilation, conv.groups),
                        optional_input(in, 3), conv.activation);
    }
    at::Tensor operator()(const op::BatchNorm &norm) const {
        return finished(at::batch_norm(in[0], in[1], in[2], in[3], in[4], /*training=*/false,
                                       /*momentum=*/0, norm.eps, /*cudnn_enabled=*/true),
                        std::nullopt, norm.activation);
    }
    at::Tensor operator()(const op::Linear &linear) const {
        return finished(at::linear(in[0], in[1], optional_input(in, 2)), optional_input(in, 3),
                        linear.activation);
    }
    at::Tensor operator()(const op::Activation &activation) const {
        return activated(in[0], activation.kind);
    }
    at::Tensor operator()(const op::Add &add) const {
        return finished(at::add(in[0], in[1]), std::nullopt, add.activation);
    }
    at::Tensor operator()(const op::Mul &mul) const {
        return finished(at::mul(in[0], in[1]), std::nullopt, mul.activation);
    }
    at::Tensor operator()(const op::MaxPool2d &pool) const {
        constexpr Size2 kDilation{1, 1}; // the quantized one takes a number for each side only
        return at::max_pool2d(in[0], pool.kernel, pool.stride, pool.padding, kDilation,
                              pool.ceil_mode);
    }
    at::Tensor operator()(const op::AvgPool2d &pool) const {
        return at::avg_pool2d(in[0], pool.kernel, pool.stride, pool.padding);
    }
    at::Tensor operator()(const op::AdaptiveAvgPool2d &pool) const {
        return at::adaptive_avg_pool2d(in[0], pool.output);
    }
    at::Tensor operator()(const op::SpatialMean & /*op*/) const { return at::mean(in[0], {2, 3}); }
    at::Tensor operator()(const op::Flatten &flatten) const {
        return at::flatten(in[0], flatten.start);
    }
    at::Tensor operator()(const op::Reshape &reshape) const {
        return at::reshape(in[0], reshape.shape);
    }
    at::Tensor operator()(const op::Permute &permute) const {
        return at::permute(in[0], permute.order);
    }
    at::Tensor operator()(const op::Concat &concat) const {
        return at::cat(at::TensorList(in.data(), in.size()), concat.dim);
    }
    at::Tensor operator()(const op::Slice &slice) const {
        return at::slice(in[0], slice.dim, slice.start, slice.end, slice.step);
    }
    at::Tensor operator()(const op::PadEnd &pad) const {
        std::vector<int64_t> amounts; // before and after, the last dimension first
        for (size_t i = pad.amounts.size(); i-- > 0;)
            amounts.insert(amounts.end(), {0, pad.amounts[i]});
        return at::constant_pad_nd(in[0], amounts);
    }
    at::Tensor operator()(const op::Roll &roll) const {
        return at::roll(in[0], roll.shifts, roll.dims);
    }
    at::Tensor operator()(const op::Gather & /*op*/) const {
        return at::index_select(in[0], 0, in[1]);
    }
    at::Tensor operator()(const op::LayerNorm &norm) const {
        return at::layer_norm(in[0], in[1].sizes(), in[1], in[2], norm.eps);
    }
    at::Tensor operator()(const op::Softmax & /*op*/) const { return at::softmax(in[0], -1); }
    at::Tensor operator()(const op::MatMul & /*op*/) const { return at::matmul(in[0], in[1]); }
    at::Tensor operator()(const op::Attention &attention) const {
        return attention.rows ? attended_rows(attention, in) : attended(attention.scale, in);
    }
    at::Tensor operator()(const op::Normalize &normalize) const {
        const at::Tensor length = at::linalg_vector_norm(in[0], 2, {-1}, /*keepdim=*/true);
        return at::div(in[0], at::clamp_min(length, normalize.eps));
    }
    at::Tensor operator()(const op::ClampMax &clamp) const {
        return at::clamp_max(in[0], clamp.most);
    }
    at::Tensor operator()(const op::Identity & /*op*/) const { return in[0]; }
    template<typename Quantized>
    at::Tensor operator()(const Quantized &op) const {
        return call_quantized(op, in, packed);
    }
};

} // namespace

at::Tensor call_operator(const Op &op, Inputs inputs, const c10::IValue &packed) {
    return std::visit(Call{inputs, packed}, op);
}

} // namespace tvw
