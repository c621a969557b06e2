// SPDX-License-Identifier: LGPL-2.1-or-later
// What the layers of layers.h become on quantized values. A family is written once: on a quantized
// value a convolution draws the parameters of the quantized layer, whose batch norm is folded into
// it, and operations that choose a scale for their result have a scope to draw it from.
#pragma once

#include "nn/functions.h"

#include <optional>

namespace tvw::nn {

bool is_quantized(Value x);

/// torch.ao.quantization.QuantStub, the child "quant" of a network: x itself, unless the scope's
/// network is a quantized one.
Value quantize(const Scope &s, Value x);
/// DeQuantStub: x itself, unless it is quantized.
Value dequantize(Value x);

// torch.ao.nn.quantized.FloatFunctional: plain operations with a place of their own in the state
// dict of a quantized network.
Value add(const Scope &s, Value a, Value b);
/// The sum where `condition` holds, else b; its place is there in either case.
Value add_if(bool condition, const Scope &s, Value a, Value b);
Value mul(const Scope &s, Value a, Value b);
Value concat(const Scope &s, std::span<const Value> parts, int64_t dim);
/// An activation that is a module.
Value activation(const Scope &s, Value x, Activation kind);

/// A convolution of quantized x, `weight` its shape; with `norm_eps` a batch norm follows.
Value quantized_conv(const Scope &s, Value x, const op::Conv2d &op, const Shape &weight,
                     std::optional<double> norm_eps);
Value quantized_linear(const Scope &s, Value x, int64_t out_features);

} // namespace tvw::nn
