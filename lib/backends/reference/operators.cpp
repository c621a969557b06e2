// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/reference/operators.h"

#include "backends/reference/quantized.h"

#include <ATen/Functions.h>

namespace tvw {
namespace {

using Inputs = std::span<const at::Tensor>;

/// The last input where it is optional.
std::optional<at::Tensor> optional_input(Inputs in, size_t index) {
    return in.size() > index ? std::optional(in[index]) : std::nullopt;
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
        return at::conv2d(x, in[1], optional_input(in, 2), conv.stride, padding, conv.dilation,
                          conv.groups);
    }
    at::Tensor operator()(const op::BatchNorm &norm) const {
        return at::batch_norm(in[0], in[1], in[2], in[3], in[4], /*training=*/false,
                              /*momentum=*/0, norm.eps, /*cudnn_enabled=*/true);
    }
    at::Tensor operator()(const op::Linear & /*op*/) const {
        return at::linear(in[0], in[1], optional_input(in, 2));
    }
    at::Tensor operator()(const op::Activation &activation) const {
        using Kind = op::ActivationKind;
        switch (activation.kind) {
        case Kind::kRelu:
            return at::relu(in[0]);
        case Kind::kRelu6:
            return at::hardtanh(in[0], 0, 6);
        case Kind::kSilu:
            return at::silu(in[0]);
        case Kind::kSigmoid:
            return at::sigmoid(in[0]);
        case Kind::kHardswish:
            return at::hardswish(in[0]);
        case Kind::kHardsigmoid:
            return at::hardsigmoid(in[0]);
        case Kind::kGelu:
            return at::gelu(in[0]);
        case Kind::kTanh:
            return at::tanh(in[0]);
        case Kind::kExp:
            return at::exp(in[0]);
        }
        return in[0];
    }
    at::Tensor operator()(const op::Add & /*op*/) const { return at::add(in[0], in[1]); }
    at::Tensor operator()(const op::Mul & /*op*/) const { return at::mul(in[0], in[1]); }
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
