// SPDX-License-Identifier: LGPL-2.1-or-later
// MobileNetV3 (Howard et al. 2019, arXiv:1905.02244).
#include "nn/builder.h"
#include "nn/inverted_residual.h"

namespace tvw {
namespace {

using namespace nn;

constexpr auto kRelu = Activation::kRelu;
constexpr auto kHardswish = Activation::kHardswish;
constexpr double kEps = 0.001;

/// A row of tables 1 and 2 of the paper. A row of the tail is halved by reduced_tail and, where it
/// strides or follows the stride, dilated instead by dilated.
struct Row {
    int64_t kernel;
    int64_t expanded;
    int64_t out;
    bool squeeze;
    Activation activation;
    int64_t stride;
    bool tail = false;
};

constexpr Row kLarge[] = {
    {3, 16, 16, false, kRelu, 1},
    {3, 64, 24, false, kRelu, 2},
    {3, 72, 24, false, kRelu, 1},
    {5, 72, 40, true, kRelu, 2},
    {5, 120, 40, true, kRelu, 1},
    {5, 120, 40, true, kRelu, 1},
    {3, 240, 80, false, kHardswish, 2},
    {3, 200, 80, false, kHardswish, 1},
    {3, 184, 80, false, kHardswish, 1},
    {3, 184, 80, false, kHardswish, 1},
    {3, 480, 112, true, kHardswish, 1},
    {3, 672, 112, true, kHardswish, 1},
    {5, 672, 160, true, kHardswish, 2, true},
    {5, 960, 160, true, kHardswish, 1, true},
    {5, 960, 160, true, kHardswish, 1, true},
};

constexpr Row kSmall[] = {
    {3, 16, 16, true, kRelu, 2},
    {3, 72, 24, false, kRelu, 2},
    {3, 88, 24, false, kRelu, 1},
    {5, 96, 40, true, kHardswish, 2},
    {5, 240, 40, true, kHardswish, 1},
    {5, 240, 40, true, kHardswish, 1},
    {5, 120, 48, true, kHardswish, 1},
    {5, 144, 48, true, kHardswish, 1},
    {5, 288, 96, true, kHardswish, 2, true},
    {5, 576, 96, true, kHardswish, 1, true},
    {5, 576, 96, true, kHardswish, 1, true},
};

struct Variant {
    const char *name;
    std::span<const Row> rows;
    int64_t last_channels;
};

constexpr Variant kVariants[] = {
    {"mobilenet_v3_large", kLarge, 1280},
    {"mobilenet_v3_small", kSmall, 1024},
};

constexpr std::string_view kQuantized[] = {"mobilenet_v3_large"};

/// What the arguments make of a row.
struct Config {
    double width_mult;
    bool reduced_tail;
    bool dilated;

    int64_t channels(int64_t count, bool tail = true) const {
        return make_divisible(double(tail && reduced_tail ? count / 2 : count) * width_mult);
    }
};

Value block(const Scope &s, Value x, const Row &row, const Config &config) {
    // The first row of the tail strides; only what follows it has an expansion to halve.
    const int64_t expanded = config.channels(row.expanded, row.tail && row.stride == 1);
    const int64_t quarter = expanded / 4;
    const bool dilate = row.tail && config.dilated;
    Value y =
        inverted_residual(s / "block", x,
                          {.expanded_channels = expanded,
                           .out_channels = config.channels(row.out, row.tail),
                           .kernel = row.kernel,
                           .stride = dilate ? 1 : row.stride,
                           .dilation = dilate ? 2 : 1,
                           .activation = row.activation,
                           .eps = kEps,
                           .squeeze_channels = row.squeeze ? make_divisible(double(quarter)) : 0,
                           .squeeze_gate = Activation::kHardsigmoid});
    return add_if(row.stride == 1 && x.channels() == y.channels(), s / "skip_add", x, y);
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const Config config{arguments.number("width_mult", 1), arguments.boolean("reduced_tail", false),
                        arguments.boolean("dilated", false)};
    arguments.ignore("dropout");

    const Scope s = root.with_init(kKaimingInit);
    const Scope features = s / "features";
    int64_t index = 0;
    x = quantize(s / "quant", x);
    x = conv_norm_activation(features / index++, x, config.channels(16, false),
                             {.kernel = 3, .stride = 2}, kHardswish, kEps);
    for (const Row &row : variant.rows)
        x = block(features / index++, x, row, config);
    x = conv_norm_activation(features / index, x, 6 * x.channels(), {}, kHardswish, kEps);
    x = flatten(adaptive_avg_pool(x));
    const Scope classifier = s / "classifier";
    x = linear(classifier / 0, x, config.channels(variant.last_channels));
    x = activation(classifier / 1, x, kHardswish);
    return dequantize(linear(classifier / 3, dropout(x), num_classes));
}

} // namespace

nn::Family mobilenetv3() {
    return with_quantized(make_family(kVariants, build), kQuantized,
                          {.backend = "qnnpack", .aware = true});
}

} // namespace tvw
