// SPDX-License-Identifier: LGPL-2.1-or-later
// Layers as the families' sources write them: what torch.nn and torchvision.ops call by the same
// names, in evaluation mode. Image values are [N, C, H, W].
#pragma once

#include "nn/scope.h"

#include <cstdint>
#include <optional>

namespace tvw::nn {

struct ConvOptions {
    int64_t kernel = 1;
    int64_t stride = 1;
    std::optional<int64_t> padding =
        {}; ///< none: (kernel - 1) / 2 * dilation, which keeps the size
    int64_t dilation = 1;
    int64_t groups = 1;
    bool bias = false;
    /// TensorFlow's "same": an output of ⌈size / stride⌉, the odd pixel at the right and bottom.
    bool tf_same = false;
};

struct NormOptions {
    double eps = 1e-5;
    Init weight = Init::kOnes;
};

using Activation = op::ActivationKind;

Value conv(const Scope &s, Value x, int64_t out_channels, const ConvOptions &options = {});
Value batch_norm(const Scope &s, Value x, const NormOptions &options = {});
Value linear(const Scope &s, Value x, int64_t out_features);

Value activation(Value x, Activation kind);
inline Value relu(Value x) {
    return activation(x, Activation::kRelu);
}
Value add(Value a, Value b);
Value mul(Value a, Value b);
Value max_pool(Value x, int64_t kernel, int64_t stride, int64_t padding = 0);
Value adaptive_avg_pool(Value x, int64_t output = 1);
Value flatten(Value x, int64_t start = 1);
/// Nothing in inference; kept in the graph as built.
Value dropout(Value x);
Value stochastic_depth(Value x);

/// torchvision.ops.Conv2dNormActivation: convolution "0", batch norm "1", activation.
Value conv_norm_activation(const Scope &s, Value x, int64_t out_channels,
                           const ConvOptions &options, std::optional<Activation> kind,
                           double eps = 1e-5);

/// torchvision.ops.SqueezeExcitation (Hu et al. 2018, arXiv:1709.01507): "fc1", `inner`, "fc2",
/// `gate`, times x.
Value squeeze_excitation(const Scope &s, Value x, int64_t squeeze_channels, Activation inner,
                         Activation gate);

/// torchvision's _make_divisible: the nearest multiple of `divisor` that loses at most a tenth.
int64_t make_divisible(double value, int64_t divisor = 8);

} // namespace tvw::nn
