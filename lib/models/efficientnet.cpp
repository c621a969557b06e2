// SPDX-License-Identifier: LGPL-2.1-or-later
// EfficientNet (Tan and Le 2019, arXiv:1905.11946), EfficientNetV2 (Tan and Le 2021,
// arXiv:2104.00298), and EfficientNet-Lite: B0 without squeeze-excitation, with ReLU6 and
// TensorFlow's padding.
#include "nn/builder.h"
#include "nn/inverted_residual.h"

#include <fmt/format.h>

#include <cmath>
#include <tuple>

namespace tvw {
namespace {

using namespace nn;

/// A row of the papers' tables; fused blocks expand and convolve in one step.
struct Row {
    bool fused;
    int64_t expand;
    int64_t kernel;
    int64_t stride;
    int64_t out;
    int64_t layers;
};

/// U(±1/√out_features).
constexpr Init kUniformFanOut{Distribution::Kind::kUniform, Init::Fan::kOut, 1};

constexpr Row kV1[] = {
    {false, 1, 3, 1, 16, 1},  {false, 6, 3, 2, 24, 2},  {false, 6, 5, 2, 40, 2},
    {false, 6, 3, 2, 80, 3},  {false, 6, 5, 1, 112, 3}, {false, 6, 5, 2, 192, 4},
    {false, 6, 3, 1, 320, 1},
};
constexpr Row kV2Small[] = {
    {true, 1, 3, 1, 24, 2},   {true, 4, 3, 2, 48, 4},   {true, 4, 3, 2, 64, 4},
    {false, 4, 3, 2, 128, 6}, {false, 6, 3, 1, 160, 9}, {false, 6, 3, 2, 256, 15},
};
constexpr Row kV2Medium[] = {
    {true, 1, 3, 1, 24, 3},   {true, 4, 3, 2, 48, 5},    {true, 4, 3, 2, 80, 5},
    {false, 4, 3, 2, 160, 7}, {false, 6, 3, 1, 176, 14}, {false, 6, 3, 2, 304, 18},
    {false, 6, 3, 1, 512, 5},
};
constexpr Row kV2Large[] = {
    {true, 1, 3, 1, 32, 4},    {true, 4, 3, 2, 64, 7},    {true, 4, 3, 2, 96, 7},
    {false, 4, 3, 2, 192, 10}, {false, 6, 3, 1, 224, 19}, {false, 6, 3, 2, 384, 25},
    {false, 6, 3, 1, 640, 7},
};

struct Variant {
    const char *name;
    std::span<const Row> rows;
    double eps = 1e-5;
    double width_mult = 1;
    double depth_mult = 1;
    int64_t stem = 32;
    int64_t last_channels = 0; ///< 0: four times what comes before
    bool lite = false;

    Activation activation() const { return lite ? Activation::kRelu6 : Activation::kSilu; }
};

constexpr Variant kVariants[] = {
    {"efficientnet_b0", kV1, 1e-5, 1.0, 1.0},
    {"efficientnet_b1", kV1, 1e-5, 1.0, 1.1},
    {"efficientnet_b2", kV1, 1e-5, 1.1, 1.2},
    {"efficientnet_b3", kV1, 1e-5, 1.2, 1.4},
    {"efficientnet_b4", kV1, 1e-5, 1.4, 1.8},
    {"efficientnet_b5", kV1, 1e-3, 1.6, 2.2},
    {"efficientnet_b6", kV1, 1e-3, 1.8, 2.6},
    {"efficientnet_b7", kV1, 1e-3, 2.0, 3.1},
    {"efficientnet_v2_s", kV2Small, 1e-3, 1.0, 1.0, 24, 1280},
    {"efficientnet_v2_m", kV2Medium, 1e-3, 1.0, 1.0, 24, 1280},
    {"efficientnet_v2_l", kV2Large, 1e-3, 1.0, 1.0, 32, 1280},
    {"efficientnet_lite0", kV1, 1e-3, 1.0, 1.0, 32, 1280, true},
};

int64_t expanded(const Row &row, Value x) {
    return make_divisible(double(x.channels() * row.expand));
}

Value mbconv(const Scope &s, Value x, const Row &row, int64_t out, const Variant &variant) {
    return inverted_residual(
        s, x,
        {.expanded_channels = expanded(row, x),
         .out_channels = out,
         .kernel = row.kernel,
         .stride = row.stride,
         .tf_same = variant.lite,
         .activation = variant.activation(),
         .eps = variant.eps,
         .squeeze_channels = variant.lite ? 0 : std::max<int64_t>(1, x.channels() / 4),
         .squeeze_activation = Activation::kSilu});
}

Value fused_mbconv(const Scope &s, Value x, const Row &row, int64_t out, const Variant &variant) {
    const ConvOptions options{.kernel = row.kernel, .stride = row.stride};
    const int64_t wide = expanded(row, x);
    if (wide == x.channels())
        return conv_norm_activation(s / 0, x, out, options, Activation::kSilu, variant.eps);
    x = conv_norm_activation(s / 0, x, wide, options, Activation::kSilu, variant.eps);
    return conv_norm_activation(s / 1, x, out, {}, std::nullopt, variant.eps);
}

Value block(const Scope &s, Value x, const Row &row, int64_t out, const Variant &variant) {
    const Value y = (row.fused ? fused_mbconv : mbconv)(s / "block", x, row, out, variant);
    const bool residual = row.stride == 1 && x.channels() == out;
    return residual ? add(stochastic_depth(y), x) : y;
}

Value stage(const Scope &s, Value x, Row row, const Variant &variant) {
    const int64_t out = make_divisible(double(row.out) * variant.width_mult);
    const auto layers = int64_t(std::ceil(double(row.layers) * variant.depth_mult));
    for (int64_t i = 0; i < layers; ++i) {
        x = block(s / i, x, row, out, variant);
        row.stride = 1;
    }
    return x;
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    arguments.ignore("dropout");
    arguments.ignore("stochastic_depth_prob");

    const Scope s = root.with_init({.conv_weight = Init::kKaimingNormalFanOut,
                                    .conv_bias = Init::kZeros,
                                    .linear_weight = kUniformFanOut,
                                    .linear_bias = Init::kZeros});
    const Scope features = s / "features";
    int64_t index = 0;
    x = conv_norm_activation(
        features / index++, x, make_divisible(double(variant.stem) * variant.width_mult),
        {.kernel = 3, .stride = 2, .tf_same = variant.lite}, variant.activation(), variant.eps);
    for (const Row &row : variant.rows)
        x = stage(features / index++, x, row, variant);
    const int64_t last = variant.last_channels != 0 ? variant.last_channels : 4 * x.channels();
    x = conv_norm_activation(features / index, x, last, {}, variant.activation(), variant.eps);
    x = dropout(flatten(adaptive_avg_pool(x)));
    return linear(s / "classifier" / 1, x, num_classes);
}

/// "_blocks.3._bn1.weight" of the original authors' port to "features.3.0.block.1.1.weight".
std::string rename_lite_block(std::string_view key) {
    constexpr size_t kStart = std::string_view("_blocks.").size();
    size_t end = kStart;
    int64_t layer = 0;
    for (; end < key.size() && key[end] >= '0' && key[end] <= '9' && layer < 1000; ++end)
        layer = layer * 10 + (key[end] - '0');
    int64_t stage = 1;
    for (const Row &row : kV1) {
        if (layer < row.layers)
            break;
        layer -= row.layers;
        ++stage;
    }
    // The first stage does not expand, so its depthwise convolution is child 0.
    const int64_t depthwise = stage == 1 ? 0 : 1;
    const std::tuple<std::string_view, int64_t, int64_t> modules[] = {
        {"._expand_conv.", 0, 0},
        {"._bn0.", 0, 1},
        {"._depthwise_conv.", depthwise, 0},
        {"._bn1.", depthwise, 1},
        {"._project_conv.", depthwise + 1, 0},
        {"._bn2.", depthwise + 1, 1}};
    const std::string_view rest = key.substr(end);
    for (const auto &[module, child, part] : modules) {
        if (rest.starts_with(module))
            return fmt::format("features.{}.{}.block.{}.{}.{}", stage, layer, child, part,
                               rest.substr(module.size()));
    }
    return std::string(key);
}

/// Keys of the checkpoint that the authors of EfficientNet-Lite published for PyTorch.
std::string rename_lite_key(std::string_view key) {
    if (key.starts_with("_blocks."))
        return rename_lite_block(key);
    constexpr std::pair<std::string_view, std::string_view> kModules[] = {
        {"_conv_stem.", "features.0.0."},
        {"_bn0.", "features.0.1."},
        {"_conv_head.", "features.8.0."},
        {"_bn1.", "features.8.1."},
        {"_fc.", "classifier.1."}};
    for (const auto &[theirs, ours] : kModules) {
        if (key.starts_with(theirs))
            return std::string(ours).append(key.substr(theirs.size()));
    }
    return std::string(key);
}

} // namespace

nn::Family efficientnet() {
    nn::Family family = make_family(kVariants, build);
    family.back().hooks.rename_key = rename_lite_key;
    return family;
}

} // namespace tvw
