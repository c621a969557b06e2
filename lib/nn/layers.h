// SPDX-License-Identifier: LGPL-2.1-or-later
// Layers as the families' sources write them: what torch.nn and torchvision.ops call by the same
// names, in evaluation mode. Of quantized values they are those of torch.ao.nn.quantized. Image
// values are [N, C, H, W].
#pragma once

#include "nn/functions.h"
#include "nn/quantized.h"

#include <cstdint>
#include <optional>
#include <string>

namespace tvw::nn {

/// Height and width; one number stands for both.
struct Extent {
    constexpr Extent(int64_t both) : height(both), width(both) {} // NOLINT: implicit on purpose
    constexpr Extent(int64_t h, int64_t w) : height(h), width(w) {}

    int64_t height;
    int64_t width;
};

struct ConvOptions {
    Extent kernel = 1;
    int64_t stride = 1;
    /// None: (kernel - 1) / 2 * dilation, which keeps the size.
    std::optional<Extent> padding = {};
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

Value conv(const Scope &s, Value x, int64_t out_channels, const ConvOptions &options = {});
Value batch_norm(const Scope &s, Value x, const NormOptions &options = {});
Value linear(const Scope &s, Value x, int64_t out_features, bool bias = true);

/// Over the last dimension.
Value layer_norm(const Scope &s, Value x, double eps = 1e-5);

/// Layers whose parameters are drawn before they are used: a state dict is in the order in which
/// torchvision makes its modules, which is not always that of their use.
struct Linear {
    Value weight;
    std::optional<Value> bias;
    std::string path;

    Value operator()(Value x) const;
};
Linear make_linear(const Scope &s, int64_t in_features, int64_t out_features, bool bias = true);

struct LayerNorm {
    Value weight;
    Value bias;
    double eps;
    std::string path;

    Value operator()(Value x) const;
};
LayerNorm make_layer_norm(const Scope &s, int64_t features, double eps = 1e-5);

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
