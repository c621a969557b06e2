// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/stored.h"

#include <tvw/error.h>

#include <algorithm>
#include <type_traits>

namespace tvw {
namespace {

/// What an operation computes with.
enum class Stored {
    kReal,
    kQuantized,
    kQuantizedFirst, ///< a layer: its weight and bias are not values of this kind
    kEither,         ///< as it comes in, so it goes out
};

template<typename T, typename... Known>
constexpr bool kIsOneOf = (std::is_same_v<T, Known> || ...);

template<typename T>
constexpr Stored stored_of() {
    if (kIsOneOf<T, op::QuantizedConv2d, op::QuantizedLinear>)
        return Stored::kQuantizedFirst;
    if (kIsOneOf<T, op::Dequantize, op::QuantizedAdd, op::QuantizedMul, op::QuantizedConcat,
                 op::QuantizedHardswish>)
        return Stored::kQuantized;
    if (kIsOneOf<T, op::Activation, op::MaxPool2d, op::AvgPool2d, op::AdaptiveAvgPool2d,
                 op::SpatialMean, op::Flatten, op::Reshape, op::Permute, op::Slice, op::Identity>)
        return Stored::kEither;
    return Stored::kReal;
}

Stored stored_of(const Op &op) {
    return std::visit([]<typename T>(const T & /*op*/) { return stored_of<T>(); }, op);
}

bool is_quantized(const TensorType &type) {
    return type.affine.has_value();
}

[[noreturn]] void refuse(const char *why) {
    throw Error(ErrorKind::kInvalidArgument, why);
}

} // namespace

void check_stored(const Op &op, std::span<const TensorType> inputs) {
    const Stored stored = stored_of(op);
    const auto operands =
        inputs.first(stored == Stored::kQuantizedFirst ? size_t(!inputs.empty()) : inputs.size());
    if (stored == Stored::kReal && std::any_of(operands.begin(), operands.end(), is_quantized))
        refuse("takes no quantized values: dequantize them first");
    const bool wants = stored == Stored::kQuantized || stored == Stored::kQuantizedFirst;
    if (wants && !std::all_of(operands.begin(), operands.end(), is_quantized))
        refuse("takes quantized values: quantize them first");
}

std::optional<Affine> kept_affine(const Op &op, std::span<const TensorType> inputs) {
    if (stored_of(op) != Stored::kEither || !is_quantized(inputs.front()))
        return std::nullopt;
    const auto *activation = std::get_if<op::Activation>(&op);
    if (activation == nullptr || activation->kind == op::ActivationKind::kRelu)
        return inputs.front().affine;
    if (activation->kind == op::ActivationKind::kHardsigmoid)
        return Affine{1.0 / 256, 0}; // LibTorch's, for all of [0, 1]
    refuse("takes no quantized values: dequantize them first");
}

} // namespace tvw
