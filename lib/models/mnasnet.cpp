// SPDX-License-Identifier: LGPL-2.1-or-later
// MNASNet-B1 (Tan et al. 2018, arXiv:1807.11626).
#include "nn/builder.h"

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
    double alpha;
};

constexpr Variant kVariants[] = {
    {"mnasnet0_5", 0.5}, {"mnasnet0_75", 0.75}, {"mnasnet1_0", 1.0}, {"mnasnet1_3", 1.3}};

/// U(±√(3 / out_features)): Kaiming's uniform scheme of fan-out for a sigmoid.
constexpr Init kLinearInit{Distribution::Kind::kUniform, Init::Fan::kOut, 3};

struct Row {
    int64_t out;
    int64_t kernel;
    int64_t stride;
    int64_t expand;
    int64_t repeats;
};

constexpr Row kRows[] = {{24, 3, 2, 3, 3}, {40, 5, 2, 3, 3},  {80, 5, 2, 6, 3},
                         {96, 3, 1, 6, 2}, {192, 5, 2, 6, 4}, {320, 3, 1, 6, 1}};

Value block(const Scope &s, Value x, const Row &row, int64_t out, int64_t stride) {
    const int64_t hidden = x.channels() * row.expand;
    Value y = relu(batch_norm(s / 1, conv(s / 0, x, hidden)));
    y = conv(s / 3, y, hidden, {.kernel = row.kernel, .stride = stride, .groups = hidden});
    y = relu(batch_norm(s / 4, y));
    y = batch_norm(s / 7, conv(s / 6, y, out));
    return stride == 1 && x.channels() == out ? add(y, x) : y;
}

/// A first convolution and a depthwise separable one.
Value stem(const Scope &s, Value x, int64_t first, int64_t second) {
    x = relu(batch_norm(s / 1, conv(s / 0, x, first, {.kernel = 3, .stride = 2})));
    x = relu(batch_norm(s / 4, conv(s / 3, x, first, {.kernel = 3, .groups = first})));
    return batch_norm(s / 7, conv(s / 6, x, second));
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const bool fixed_stem = arguments.boolean("fixed_stem", false);
    arguments.ignore("dropout");
    const auto channels = [&](int64_t count) {
        return make_divisible(double(count) * variant.alpha);
    };

    const Scope s = root.with_init({.conv_weight = Init::kKaimingNormalFanOut,
                                    .linear_weight = kLinearInit,
                                    .linear_bias = Init::kZeros});
    const Scope layers = s / "layers";
    x = stem(layers, x, fixed_stem ? 32 : channels(32), fixed_stem ? 16 : channels(16));
    int64_t index = 8;
    for (const Row &row : kRows) {
        for (int64_t i = 0; i < row.repeats; ++i)
            x = block(layers / index / i / "layers", x, row, channels(row.out),
                      i == 0 ? row.stride : 1);
        ++index;
    }
    x = relu(batch_norm(layers / 15, conv(layers / 14, x, 1280)));
    x = dropout(flatten(adaptive_avg_pool(x)));
    return linear(s / "classifier" / 1, x, num_classes);
}

/// The first version of the network had the same stem for every alpha; so have its checkpoints.
void adapt(Arguments &arguments, const ShapeOf &shape_of) {
    const Shape first = shape_of("layers.0.weight");
    const Shape second = shape_of("layers.6.weight");
    if (!first.empty() && first[0] == 32 && !second.empty() && second[0] == 16)
        arguments.emplace("fixed_stem", true);
}

} // namespace

nn::Family mnasnet() {
    return make_family(kVariants, build, {.adapt = adapt});
}

} // namespace tvw
