// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/quantization_aware.h"

#include <tvw/error.h>

#include <algorithm>
#include <cmath>

namespace tvw::nn {
namespace {

/// torch.ao.quantization.FusedMovingAvgObsFakeQuantize.
struct Observer {
    std::optional<float> least; ///< none: shapes only, or it never saw a value
    std::optional<float> most;
    float eps;
    bool watches; ///< still takes in what it sees
};

Observer read_observer(const Scope &s) {
    s.number({"fake_quant_enabled", DType::kInt64, {1}, false});
    const auto watches = s.number({"observer_enabled", DType::kInt64, {1}, false});
    s.number({"scale", DType::kFloat32, {1}, false});
    s.number({"zero_point", DType::kInt32, {1}, false});
    const Scope range = s / "activation_post_process";
    const auto eps = range.number({"eps", DType::kFloat32, {1}, false});
    const auto least = range.number({"min_val", DType::kFloat32, {}, false});
    const auto most = range.number({"max_val", DType::kFloat32, {}, false});
    const bool seen = least && most && !(std::isinf(*least) && std::isinf(*most));
    return {seen ? least : std::nullopt, seen ? most : std::nullopt, eps.value_or(0),
            watches.value_or(0) != 0};
}

/// Moves the range towards that of `values`, as training would.
void watch(Observer &observer, std::span<const float> values) {
    constexpr float kPace = 0.01F;
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    const auto moved = [](std::optional<float> old, float seen) {
        return old ? *old + kPace * (seen - *old) : seen;
    };
    observer.least = moved(observer.least, *least);
    observer.most = moved(observer.most, *most);
}

/// Symmetric around zero, for qint8.
float weight_scale(const Observer &observer) {
    if (!observer.least)
        return 1;
    if (std::isnan(*observer.least + *observer.most))
        return 0; // no scale
    const float most = std::max({-std::min(*observer.least, 0.0F), *observer.most, 0.0F});
    return std::max(most / 127.5F, observer.eps);
}

bool is_finite(const HostTensor &weight, const HostTensor &bias) {
    const auto all_finite = [](const HostTensor &tensor) {
        const auto values = tensor.has_data() ? tensor.values<float>() : std::span<const float>();
        return std::all_of(values.begin(), values.end(),
                           [](float value) { return std::isfinite(value); });
    };
    return all_finite(weight) && all_finite(bias);
}

HostTensor quantized(const HostTensor &weight, float scale) {
    const HostTensor bytes = HostTensor::zeros(DType::kQInt8, weight.shape());
    auto *stored = reinterpret_cast<int8_t *>(bytes.storage()->data());
    const float inverse = 1 / scale;
    for (const float value : weight.values<float>())
        *stored++ = int8_t(std::clamp(std::nearbyint(value * inverse), -128.0F, 127.0F));
    auto quantization = std::make_shared<const Quantization>(Quantization{false, 0, {scale}, {0}});
    return {DType::kQInt8, bytes.shape(), bytes.strides(), 0, bytes.storage(), quantization};
}

/// The layer that convolution and norm are together, in float32 at every step.
void fold_norm(const Scope &norm, double eps, HostTensor &weight, HostTensor &bias) {
    const auto read = [&](const char *name, bool trainable) {
        return std::get<HostTensor>(
            norm.stored({name, DType::kFloat32, {weight.shape()[0]}, trainable}));
    };
    const HostTensor gamma = read("weight", true);
    const HostTensor beta = read("bias", true);
    const HostTensor mean = read("running_mean", false);
    const HostTensor variance = read("running_var", false);
    norm.expect_counter("num_batches_tracked");
    const bool complete = weight.has_data() && gamma.has_data() && beta.has_data() &&
                          mean.has_data() && variance.has_data();
    if (!complete)
        return;
    HostTensor folded = HostTensor::zeros(DType::kFloat32, weight.shape());
    bias = HostTensor::zeros(DType::kFloat32, mean.shape());
    const auto src = weight.values<float>();
    const auto dst = folded.mutable_values<float>();
    const auto shift = bias.mutable_values<float>();
    const size_t filter = src.size() / shift.size();
    for (size_t c = 0; c < shift.size(); ++c) {
        const float inverse = 1 / std::sqrt(variance.values<float>()[c] + float(eps));
        const float scale = gamma.values<float>()[c] * inverse;
        for (size_t i = c * filter; i < (c + 1) * filter; ++i)
            dst[i] = src[i] * scale;
        shift[c] = (0 - mean.values<float>()[c]) * inverse * gamma.values<float>()[c] +
                   beta.values<float>()[c];
    }
    weight = std::move(folded);
}

} // namespace

ObservedAffine activation_affine(const Scope &fake_quantize) {
    const Observer observer = read_observer(fake_quantize);
    if (!observer.least)
        return {};
    const float least = std::min(*observer.least, 0.0F);
    const float most = std::max(*observer.most, 0.0F);
    const float scale = std::max((most - least) / 255.0F, observer.eps);
    return {scale, std::clamp(-std::nearbyint(least / scale), 0.0F, 255.0F)};
}

void expect_fixed_range(const Scope &fake_quantize) {
    for (const auto *name : {"fake_quant_enabled", "observer_enabled"})
        fake_quantize.number({name, DType::kUInt8, {1}, false}, /*optional=*/true);
    for (const Scope &s : {fake_quantize, fake_quantize / "activation_post_process"}) {
        s.number({"scale", DType::kFloat32, {1}, false}, /*optional=*/true);
        s.number({"zero_point", DType::kInt32, {1}, false}, /*optional=*/true);
    }
}

QuantizedLayer aware_layer(const Scope &s, const Shape &weight_shape,
                           std::optional<double> norm_eps) {
    const Shape outputs{weight_shape[0]};
    auto weight = std::get<HostTensor>(s.stored({"weight", DType::kFloat32, weight_shape, true}));
    HostTensor bias = HostTensor::shape_only(DType::kFloat32, outputs);
    if (norm_eps)
        fold_norm(s / "bn", *norm_eps, weight, bias);
    else
        bias = std::get<HostTensor>(s.stored({"bias", DType::kFloat32, outputs, true}));
    Observer observer = read_observer(s / "weight_fake_quant");
    if (!weight.has_data())
        return {HostTensor::shape_only(DType::kQInt8, weight_shape), std::move(bias)};
    if (observer.watches)
        watch(observer, weight.values<float>());
    const float scale = weight_scale(observer);
    // Below the normal numbers, 1 / scale is infinite.
    if (!std::isnormal(scale) || scale < 0 || !is_finite(weight, bias))
        throw Error(ErrorKind::kMismatch, "the weight of \"" + s.path() +
                                              "\" cannot be quantized: the checkpoint is damaged");
    return {quantized(weight, scale), std::move(bias)};
}

} // namespace tvw::nn
