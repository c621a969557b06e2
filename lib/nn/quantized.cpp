// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/quantized.h"

#include "nn/emit.h"
#include "nn/quantization_aware.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <cmath>

namespace tvw::nn {
namespace {

bool is_aware(const Scope &s) {
    return s.quantized_form().kind == QuantizedForm::Kind::kAware;
}

/// "scale" and "zero_point" as the network's own tensors, of `shape`.
ObservedAffine converted_affine(const Scope &s, const Shape &shape) {
    return {s.number({"scale", DType::kFloat32, shape, false}).value_or(1),
            s.number({"zero_point", DType::kInt64, shape, false}).value_or(0)};
}

/// How the result of what stands at `s` is stored.
Affine result_affine(const Scope &s, const Shape &shape = {}) {
    const auto [scale, zero_point] =
        is_aware(s) ? activation_affine(s / "activation_post_process") : converted_affine(s, shape);
    const bool sound = std::isnormal(scale) && scale > 0 && zero_point >= 0 && zero_point <= 255;
    if (!sound)
        throw Error(ErrorKind::kMismatch,
                    fmt::format("\"{}\" is quantized with scale {} and zero point {}: the "
                                "checkpoint is damaged",
                                s.path(), scale, zero_point));
    return {scale, int64_t(zero_point)};
}

QuantizedLayer converted_conv(const Scope &s, const Shape &weight) {
    return {std::get<HostTensor>(s.stored({"weight", DType::kQInt8, weight, false})),
            std::get<HostTensor>(s.stored({"bias", DType::kFloat32, {weight[0]}, false}))};
}

QuantizedLayer converted_linear(const Scope &s, const Shape &weight) {
    const Scope packed = s / "_packed_params";
    packed.stored({"dtype", DType::kQInt8, {}, false, StateKind::kDType});
    auto parts = std::get<std::vector<HostTensor>>(
        packed.stored({"_packed_params", DType::kQInt8, weight, false, StateKind::kPacked}));
    return {std::move(parts.at(0)), std::move(parts.at(1))};
}

void check_weight(const Scope &s, const HostTensor &weight) {
    if (numel(weight.shape()) == 0) // LibTorch divides by its sizes
        throw Error(ErrorKind::kInvalidArgument, "\"" + s.path() + "\" has a weight of " +
                                                     shape_text(weight.shape()) +
                                                     ": a quantized layer needs an output");
    const Quantization *quantization = weight.quantization().get();
    const bool fits =
        quantization != nullptr && (!quantization->per_channel || quantization->axis == 0);
    if (weight.has_data() && !fits)
        throw Error(ErrorKind::kMismatch, "the weight of \"" + s.path() +
                                              "\" is not quantized as a whole or by its outputs");
}

Value emit_layer(const Scope &s, const Op &op, Value x, QuantizedLayer layer) {
    check_weight(s, layer.weight);
    Graph &graph = s.graph();
    const Value weight{&graph, graph.add_constant(s.path() + ".weight", std::move(layer.weight))};
    const Value bias{&graph, graph.add_constant(s.path() + ".bias", std::move(layer.bias))};
    return emit(op, {x, weight, bias}, s.path());
}

} // namespace

bool is_quantized(Value x) {
    return x.graph->type(x.id).affine.has_value();
}

Value quantize(const Scope &s, Value x) {
    const QuantizedForm &form = s.quantized_form();
    return form.quantizes() ? emit(op::Quantize{result_affine(s, {1}), form.engine}, {x}, s.path())
                            : x;
}

Value dequantize(Value x) {
    return is_quantized(x) ? emit(op::Dequantize{}, {x}) : x;
}

Value add(const Scope &s, Value a, Value b) {
    return is_quantized(a) ? emit(op::QuantizedAdd{result_affine(s)}, {a, b}, s.path()) : add(a, b);
}

Value add_if(bool condition, const Scope &s, Value a, Value b) {
    if (condition)
        return add(s, a, b);
    if (is_quantized(b))
        result_affine(s);
    return b;
}

Value mul(const Scope &s, Value a, Value b) {
    return is_quantized(a) ? emit(op::QuantizedMul{result_affine(s)}, {a, b}, s.path()) : mul(a, b);
}

Value concat(const Scope &s, std::span<const Value> parts, int64_t dim) {
    return is_quantized(parts.front())
               ? emit(op::QuantizedConcat{dim, result_affine(s)}, parts, s.path())
               : concat(parts, dim);
}

Value activation(const Scope &s, Value x, Activation kind) {
    if (!is_quantized(x))
        return activation(x, kind);
    if (kind == Activation::kHardswish)
        return emit(op::QuantizedHardswish{result_affine(s)}, {x}, s.path());
    if (kind == Activation::kHardsigmoid && is_aware(s))
        expect_fixed_range(s / "activation_post_process");
    return activation(x, kind);
}

Value quantized_conv(const Scope &s, Value x, const op::Conv2d &op, const Shape &weight,
                     std::optional<double> norm_eps) {
    QuantizedLayer layer =
        is_aware(s) ? aware_layer(s, weight, norm_eps) : converted_conv(s, weight);
    return emit_layer(s, op::QuantizedConv2d{op, result_affine(s)}, x, std::move(layer));
}

Value quantized_linear(const Scope &s, Value x, int64_t out_features) {
    const Shape weight{out_features, x.shape().back()};
    QuantizedLayer layer =
        is_aware(s) ? aware_layer(s, weight, std::nullopt) : converted_linear(s, weight);
    return emit_layer(s, op::QuantizedLinear{result_affine(s)}, x, std::move(layer));
}

} // namespace tvw::nn
