// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cuda/operators.h"

#include "backends/reference/operators.h"

#include <ATen/Functions.h>

#include <optional>
#include <vector>

namespace tvw::cuda {
namespace {

std::optional<at::Tensor> optional_input(Inputs in, size_t index) {
    return in.size() > index ? std::optional(in[index]) : std::nullopt;
}

/// activation(x + residual), written over x, which nobody else holds.
at::Tensor finished(at::Tensor x, const std::optional<at::Tensor> &residual,
                    const std::optional<op::ActivationKind> &activation) {
    if (residual)
        x.add_(*residual);
    if (!activation)
        return x;
    if (*activation == op::ActivationKind::kRelu)
        return at::relu_(x);
    return call_operator(op::Activation{*activation}, {&x, 1}, {});
}

/// x with what cuDNN cannot pad by itself, because sides differ; and what it still has to pad.
struct Padded {
    at::Tensor x;
    Size2 padding;
};
Padded padded(const at::Tensor &x, const Padding &padding) {
    const auto &[top, left, bottom, right] = padding;
    if (top == bottom && left == right)
        return {x, {top, left}};
    return {at::constant_pad_nd(x, {left, right, top, bottom}), {0, 0}};
}

/// The terms in one; undefined without any.
at::Tensor sum_of(Inputs terms) {
    at::Tensor sum;
    for (const at::Tensor &term : terms)
        sum = sum.defined() ? at::add(sum, term) : term;
    return sum;
}

/// q, k and v are [B, H, tokens, D].
at::Tensor attended(double scale, Inputs in) {
    std::optional<at::Tensor> mask;
    if (const at::Tensor terms = sum_of(in.subspan(3)); terms.defined()) {
        const int64_t repeats = in[0].size(0) / terms.size(0);
        mask = terms.size(0) == 1 ? terms : terms.repeat({repeats, 1, 1, 1});
    }
    const at::Tensor mixed = at::scaled_dot_product_attention(
        in[0], in[1], in[2], mask, /*dropout_p=*/0, /*is_causal=*/false, scale);
    return at::flatten(at::transpose(mixed, 1, 2), 2);
}

/// Rows [R, H, D] as groups of tokens [R / tokens, H, tokens, D].
at::Tensor grouped(const at::Tensor &x, const at::Tensor &rows, int64_t tokens) {
    const at::Tensor ordered = at::index_select(x, 0, rows);
    return at::transpose(at::reshape(ordered, {-1, tokens, x.size(1), x.size(2)}), 1, 2);
}

} // namespace

bool can_fuse(const op::Conv2d &conv, size_t inputs) {
    return conv.groups == 1 && inputs >= 3 && conv.activation == op::ActivationKind::kRelu;
}

at::Tensor fused_convolution(const op::Conv2d &conv, Inputs in) {
    const auto [x, padding] = padded(in[0], conv.padding);
    if (in.size() == 3)
        return at::cudnn_convolution_relu(x, in[1], in[2], conv.stride, padding, conv.dilation,
                                          conv.groups);
    // It reads the residual in the layout of its result.
    const at::Tensor residual = in[3].contiguous(at::MemoryFormat::ChannelsLast);
    return at::cudnn_convolution_add_relu(x, in[1], residual, /*alpha=*/1, in[2], conv.stride,
                                          padding, conv.dilation, conv.groups);
}

at::Tensor convolution(const op::Conv2d &conv, Inputs in) {
    const auto [x, padding] = padded(in[0], conv.padding);
    return finished(at::conv2d(x, in[1], optional_input(in, 2), conv.stride, padding, conv.dilation,
                               conv.groups),
                    optional_input(in, 3), conv.activation);
}

at::Tensor linear(const op::Linear &linear, Inputs in) {
    return finished(at::linear(in[0], in[1], optional_input(in, 2)), optional_input(in, 3),
                    linear.activation);
}

at::Tensor attention(const op::Attention &attention, Inputs in, const at::Tensor &rows,
                     const at::Tensor &places) {
    if (!rows.defined())
        return attended(attention.scale, in);
    std::vector<at::Tensor> groups(in.begin(), in.end());
    for (at::Tensor &part : std::span(groups).first(3))
        part = grouped(part, rows, attention.tokens);
    const at::Tensor result = at::flatten(attended(attention.scale, groups), 0, 1);
    return at::index_select(result, 0, places);
}

} // namespace tvw::cuda
