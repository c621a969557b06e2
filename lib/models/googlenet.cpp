// SPDX-License-Identifier: LGPL-2.1-or-later
// GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842) with batch norm; its "5×5" convolutions are 3×3,
// as in torchvision.
#include "nn/builder.h"
#include "nn/inception.h"

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
};

constexpr Variant kVariants[] = {{"googlenet"}};
constexpr std::string_view kQuantized[] = {"googlenet"};

/// Channels of a module: 1×1, 3×3 reduced and full, 5×5 reduced and full, after pooling.
struct Module {
    const char *name;
    int64_t one;
    int64_t three_reduced;
    int64_t three;
    int64_t five_reduced;
    int64_t five;
    int64_t pooled;
};

constexpr Module k3[] = {{"inception3a", 64, 96, 128, 16, 32, 32},
                         {"inception3b", 128, 128, 192, 32, 96, 64}};
constexpr Module k4[] = {{"inception4a", 192, 96, 208, 16, 48, 64},
                         {"inception4b", 160, 112, 224, 24, 64, 64},
                         {"inception4c", 128, 128, 256, 24, 64, 64},
                         {"inception4d", 112, 144, 288, 32, 64, 64},
                         {"inception4e", 256, 160, 320, 32, 128, 128}};
constexpr Module k5[] = {{"inception5a", 256, 160, 320, 32, 128, 128},
                         {"inception5b", 384, 192, 384, 48, 128, 128}};

Value inception(const Scope &s, Value x, const Module &module) {
    const Scope two = s / "branch2";
    const Scope three = s / "branch3";
    const Value pooled = max_pool(x, {.kernel = 3, .stride = 1, .padding = 1, .ceil_mode = true});
    const Value branches[] = {basic_conv(s / "branch1", x, module.one),
                              basic_conv(two / 1, basic_conv(two / 0, x, module.three_reduced),
                                         module.three, {.kernel = 3}),
                              basic_conv(three / 1, basic_conv(three / 0, x, module.five_reduced),
                                         module.five, {.kernel = 3}),
                              basic_conv(s / "branch4" / 1, pooled, module.pooled)};
    return concat(s / "cat", branches, 1);
}

void auxiliary_head(const Scope &s, int64_t channels, int64_t num_classes) {
    Value x = basic_conv(s / "conv", stand_in(s, {1, channels, 4, 4}), 128);
    x = relu(linear(s / "fc1", flatten(x), 1024));
    linear(s / "fc2", dropout(x), num_classes);
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant & /*only one*/) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const bool aux_logits = arguments.boolean("aux_logits", true);
    const bool transform_input = arguments.boolean("transform_input", false);
    for (const auto *ignored : {"init_weights", "dropout", "dropout_aux"})
        arguments.ignore(ignored);
    const Scope s =
        root.with_init({.conv_weight = Init::normal(0.01), .linear_weight = Init::normal(0.01)});
    const PoolOptions pool{.kernel = 3, .stride = 2, .ceil_mode = true};

    if (transform_input)
        x = transform_inception_input(x);
    x = quantize(s / "quant", x);
    x = max_pool(basic_conv(s / "conv1", x, 64, {.kernel = 7, .stride = 2}), pool);
    x = basic_conv(s / "conv2", x, 64);
    x = max_pool(basic_conv(s / "conv3", x, 192, {.kernel = 3}), pool);
    for (const Module &module : k3)
        x = inception(s / module.name, x, module);
    x = max_pool(x, pool);
    for (const Module &module : k4)
        x = inception(s / module.name, x, module);
    x = max_pool(x, {.kernel = 2, .stride = 2, .ceil_mode = true});
    for (const Module &module : k5)
        x = inception(s / module.name, x, module);
    if (aux_logits) {
        auxiliary_head(s / "aux1", 512, num_classes);
        auxiliary_head(s / "aux2", 528, num_classes);
    }
    x = dropout(flatten(adaptive_avg_pool(x)));
    return dequantize(linear(s / "fc", x, num_classes));
}

/// A checkpoint may have been saved without its auxiliary heads.
void adapt(Arguments &arguments, const ShapeOf &shape_of) {
    if (shape_of("aux1.conv.conv.weight").empty())
        arguments.emplace("aux_logits", false);
}

} // namespace

nn::Family googlenet() {
    const Hooks hooks{.adapt = adapt, .reduce = drop_auxiliary_heads};
    return with_quantized(make_family(kVariants, build, hooks), kQuantized,
                          {.reduce = drop_auxiliary_heads});
}

} // namespace tvw
