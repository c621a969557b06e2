// SPDX-License-Identifier: LGPL-2.1-or-later
// RegNetX and RegNetY (Radosavovic et al. 2020, arXiv:2003.13678).
#include "nn/builder.h"

#include <algorithm>
#include <cmath>

namespace tvw {
namespace {

using namespace nn;

/// The parameters of the paper's design space; Y has squeeze-excitation.
struct Variant {
    const char *name;
    int64_t depth;
    int64_t w_0;
    float w_a;
    double w_m;
    int64_t group_width;
    bool squeeze;
};

constexpr Variant kVariants[] = {
    {"regnet_y_400mf", 16, 48, 27.89F, 2.09, 8, true},
    {"regnet_y_800mf", 14, 56, 38.84F, 2.4, 16, true},
    {"regnet_y_1_6gf", 27, 48, 20.71F, 2.65, 24, true},
    {"regnet_y_3_2gf", 21, 80, 42.63F, 2.66, 24, true},
    {"regnet_y_8gf", 17, 192, 76.82F, 2.19, 56, true},
    {"regnet_y_16gf", 18, 200, 106.23F, 2.48, 112, true},
    {"regnet_y_32gf", 20, 232, 115.89F, 2.53, 232, true},
    {"regnet_y_128gf", 27, 456, 160.83F, 2.52, 264, true},
    {"regnet_x_400mf", 22, 24, 24.48F, 2.54, 16, false},
    {"regnet_x_800mf", 16, 56, 35.73F, 2.28, 16, false},
    {"regnet_x_1_6gf", 18, 80, 34.01F, 2.25, 24, false},
    {"regnet_x_3_2gf", 25, 88, 26.31F, 2.25, 48, false},
    {"regnet_x_8gf", 23, 80, 49.56F, 2.88, 120, false},
    {"regnet_x_16gf", 22, 216, 55.59F, 2.1, 128, false},
    {"regnet_x_32gf", 23, 320, 69.86F, 2.0, 168, false},
};

struct Stage {
    int64_t width;
    int64_t depth;
    int64_t group_width;
};

/// Widths grow linearly and are then rounded to w_0 · w_m^k and to multiples of 8; blocks of equal
/// width are a stage. In float32, as torchvision computes it.
std::vector<Stage> stages(const Variant &variant) {
    std::vector<Stage> result;
    const auto w_0 = float(variant.w_0);
    for (int64_t i = 0; i < variant.depth; ++i) {
        const float linear = float(i) * variant.w_a + w_0;
        const float capacity =
            std::nearbyint(std::log(linear / w_0) / float(std::log(variant.w_m)));
        const float width = w_0 * std::pow(float(variant.w_m), capacity);
        const auto quantized = int64_t(std::nearbyint(width / 8) * 8);
        if (result.empty() || result.back().width != quantized)
            result.push_back({quantized, 0, variant.group_width});
        ++result.back().depth;
    }
    for (Stage &stage : result) {
        stage.group_width = std::min(stage.group_width, stage.width);
        stage.width = make_divisible(double(stage.width), stage.group_width);
    }
    return result;
}

Value transform(const Scope &s, Value x, const Stage &stage, int64_t stride, bool squeeze) {
    constexpr auto kRelu = Activation::kRelu;
    const auto squeezed = int64_t(std::nearbyint(0.25 * double(x.channels())));
    Value y = conv_norm_activation(s / "a", x, stage.width, {}, kRelu);
    y = conv_norm_activation(
        s / "b", y, stage.width,
        {.kernel = 3, .stride = stride, .groups = stage.width / stage.group_width}, kRelu);
    if (squeeze)
        y = squeeze_excitation(s / "se", y, squeezed, kRelu, Activation::kSigmoid);
    return conv_norm_activation(s / "c", y, stage.width, {}, std::nullopt);
}

Value block(const Scope &s, Value x, const Stage &stage, int64_t stride, bool squeeze) {
    const bool project = stride != 1 || x.channels() != stage.width;
    const Value shortcut =
        project ? conv_norm_activation(s / "proj", x, stage.width, {.stride = stride}, std::nullopt)
                : x;
    return relu(add(shortcut, transform(s / "f", x, stage, stride, squeeze)));
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const int64_t stem_width = arguments.integer("stem_width", 32);

    const Scope s = root.with_init(kKaimingInit);
    x = conv_norm_activation(s / "stem", x, stem_width, {.kernel = 3, .stride = 2},
                             Activation::kRelu);
    int64_t number = 0;
    for (const Stage &stage : stages(variant)) {
        const std::string name = "block" + std::to_string(++number);
        for (int64_t i = 0; i < stage.depth; ++i)
            x = block(s / "trunk_output" / name / (name + "-" + std::to_string(i)), x, stage,
                      i == 0 ? 2 : 1, variant.squeeze);
    }
    return linear(s / "fc", flatten(adaptive_avg_pool(x)), num_classes);
}

} // namespace

nn::Family regnet() {
    return make_family(kVariants, build);
}

} // namespace tvw
