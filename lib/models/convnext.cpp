// SPDX-License-Identifier: LGPL-2.1-or-later
// ConvNeXt (Liu et al. 2022, arXiv:2201.03545).
#include "nn/builder.h"

#include <array>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
    int64_t width; ///< of the first stage; each later one doubles it
    std::array<int64_t, 4> depths;
};

constexpr Variant kVariants[] = {
    {"convnext_tiny", 96, {3, 3, 9, 3}},
    {"convnext_small", 96, {3, 3, 27, 3}},
    {"convnext_base", 128, {3, 3, 27, 3}},
    {"convnext_large", 192, {3, 3, 27, 3}},
};

constexpr double kEps = 1e-6;

Value channels_last(Value x) {
    return permute(x, {0, 2, 3, 1});
}
Value channels_first(Value x) {
    return permute(x, {0, 3, 1, 2});
}

/// Layer norm over the channels of an image.
Value layer_norm_2d(const Scope &s, Value x) {
    return channels_first(layer_norm(s, channels_last(x), kEps));
}

Value block(const Scope &s, Value x, double layer_scale) {
    const int64_t width = x.channels();
    const Shape shape{width, 1, 1};
    const Value scale = s.parameter("layer_scale", shape, Init::constant(layer_scale), shape);
    const Scope inner = s / "block";
    Value y = conv(inner / 0, x, width, {.kernel = 7, .groups = width, .bias = true});
    y = layer_norm(inner / 2, channels_last(y), kEps);
    y = linear(inner / 5, gelu(linear(inner / 3, y, 4 * width)), width);
    return add(stochastic_depth(mul(scale, channels_first(y))), x);
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const double layer_scale = arguments.number("layer_scale", 1e-6);
    arguments.ignore("stochastic_depth_prob");

    const Scope s = root.with_init({.conv_weight = Init::normal(0.02),
                                    .conv_bias = Init::kZeros,
                                    .linear_weight = Init::normal(0.02),
                                    .linear_bias = Init::kZeros});
    const Scope features = s / "features";
    x = conv(features / 0 / 0, x, variant.width,
             {.kernel = 4, .stride = 4, .padding = 0, .bias = true});
    x = layer_norm_2d(features / 0 / 1, x);
    int64_t index = 1;
    for (size_t stage = 0; stage < variant.depths.size(); ++stage) {
        if (stage > 0) {
            const Scope down = features / index++;
            x = conv(down / 1, layer_norm_2d(down / 0, x), 2 * x.channels(),
                     {.kernel = 2, .stride = 2, .padding = 0, .bias = true});
        }
        for (int64_t i = 0; i < variant.depths[stage]; ++i)
            x = block(features / index / i, x, layer_scale);
        ++index;
    }
    const Scope classifier = s / "classifier";
    x = flatten(layer_norm_2d(classifier / 0, adaptive_avg_pool(x)));
    return linear(classifier / 2, x, num_classes);
}

} // namespace

nn::Family convnext() {
    return make_family(kVariants, build);
}

} // namespace tvw
