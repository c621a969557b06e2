// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/layers.h"

#include "nn/emit.h"

#include <algorithm>

namespace tvw::nn {
namespace {

/// What must be added to a side of `size` for ⌈size / stride⌉ windows.
int64_t tf_same_padding(int64_t size, int64_t kernel, int64_t stride) {
    const int64_t windows = (size + stride - 1) / stride;
    return std::max<int64_t>((windows - 1) * stride + kernel - size, 0);
}

Padding conv_padding(const ConvOptions &options, const Shape &image) {
    if (options.tf_same) {
        const int64_t height = tf_same_padding(image[2], options.kernel.height, options.stride);
        const int64_t width = tf_same_padding(image[3], options.kernel.width, options.stride);
        return {height / 2, width / 2, height - height / 2, width - width / 2};
    }
    const Extent keep{(options.kernel.height - 1) / 2 * options.dilation,
                      (options.kernel.width - 1) / 2 * options.dilation};
    const Extent side = options.padding.value_or(keep);
    return {side.height, side.width, side.height, side.width};
}

struct ConvShape {
    op::Conv2d op;
    Shape weight;
};

ConvShape conv_shape(Value x, int64_t out_channels, const ConvOptions &options) {
    return {
        {{options.stride, options.stride},
         conv_padding(options, x.shape()),
         {options.dilation, options.dilation},
         options.groups},
        {out_channels, x.channels() / options.groups, options.kernel.height, options.kernel.width}};
}

} // namespace

Value conv(const Scope &s, Value x, int64_t out_channels, const ConvOptions &options) {
    const auto [op, shape] = conv_shape(x, out_channels, options);
    if (is_quantized(x))
        return quantized_conv(s, x, op, shape, std::nullopt);
    const Value weight = s.parameter("weight", shape, s.init().conv_weight, shape);
    if (!options.bias)
        return emit(op, {x, weight}, s.path());
    const Value bias = s.parameter("bias", {out_channels}, s.init().conv_bias, shape);
    return emit(op, {x, weight, bias}, s.path());
}

Value batch_norm(const Scope &s, Value x, const NormOptions &options) {
    if (is_quantized(x)) // the convolution before has it in its weight and bias
        return x;
    const Shape shape{x.channels()};
    const Value weight = s.parameter("weight", shape, options.weight, shape);
    const Value bias = s.parameter("bias", shape, Init::kZeros, shape);
    const Value mean = s.buffer("running_mean", shape, 0);
    const Value variance = s.buffer("running_var", shape, 1);
    s.expect_counter("num_batches_tracked");
    return emit(op::BatchNorm{options.eps}, {x, weight, bias, mean, variance}, s.path());
}

Linear make_linear(const Scope &s, int64_t in_features, int64_t out_features, bool bias) {
    const Shape shape{out_features, in_features};
    Linear layer{s.parameter("weight", shape, s.init().linear_weight, shape), {}, s.path()};
    if (bias)
        layer.bias = s.parameter("bias", {out_features}, s.init().linear_bias, shape);
    return layer;
}

Value Linear::operator()(Value x) const {
    return bias ? emit(op::Linear{}, {x, weight, *bias}, path)
                : emit(op::Linear{}, {x, weight}, path);
}

Value linear(const Scope &s, Value x, int64_t out_features, bool bias) {
    if (is_quantized(x))
        return quantized_linear(s, x, out_features);
    return make_linear(s, x.shape().back(), out_features, bias)(x);
}

LayerNorm make_layer_norm(const Scope &s, int64_t features, double eps) {
    const Shape shape{features};
    const Value weight = s.parameter("weight", shape, Init::kOnes, shape);
    return {weight, s.parameter("bias", shape, Init::kZeros, shape), eps, s.path()};
}

Value LayerNorm::operator()(Value x) const {
    return emit(op::LayerNorm{eps}, {x, weight, bias}, path);
}

Value layer_norm(const Scope &s, Value x, double eps) {
    return make_layer_norm(s, x.shape().back(), eps)(x);
}

Value conv_norm_activation(const Scope &s, Value x, int64_t out_channels,
                           const ConvOptions &options, std::optional<Activation> kind, double eps) {
    if (is_quantized(x)) {
        const auto [op, weight] = conv_shape(x, out_channels, options);
        x = quantized_conv(s / 0, x, op, weight, eps);
    } else {
        x = batch_norm(s / 1, conv(s / 0, x, out_channels, options), {.eps = eps});
    }
    return kind ? activation(s / 2, x, *kind) : x;
}

Value squeeze_excitation(const Scope &s, Value x, int64_t squeeze_channels, Activation inner,
                         Activation gate) {
    Value scale = adaptive_avg_pool(x);
    scale = conv(s / "fc1", scale, squeeze_channels, {.bias = true});
    scale = activation(s / "activation", scale, inner);
    scale = conv(s / "fc2", scale, x.channels(), {.bias = true});
    scale = activation(s / "scale_activation", scale, gate);
    return mul(s / "skip_mul", scale, x);
}

int64_t make_divisible(double value, int64_t divisor) {
    const auto nearest = int64_t(value + double(divisor) / 2) / divisor * divisor;
    const int64_t result = std::max(divisor, nearest);
    return double(result) < 0.9 * value ? result + divisor : result;
}

} // namespace tvw::nn
