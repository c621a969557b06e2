// SPDX-License-Identifier: LGPL-2.1-or-later
// SqueezeNet 1.0 and 1.1 (Iandola et al. 2016, arXiv:1602.07360).
#include "nn/builder.h"

#include <algorithm>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
    int64_t stem_channels;
    int64_t stem_kernel;
    std::span<const int64_t> pooled_before; ///< children of "features" that are poolings
};

constexpr int64_t kPools10[] = {2, 6, 11};
constexpr int64_t kPools11[] = {2, 5, 8};

constexpr Variant kVariants[] = {
    {"squeezenet1_0", 96, 7, kPools10},
    {"squeezenet1_1", 64, 3, kPools11},
};

/// Channels that the eight fire modules squeeze to; each expands to four times as many, twice.
constexpr int64_t kSqueeze[] = {16, 16, 32, 32, 48, 48, 64, 64};

Value fire(const Scope &s, Value x, int64_t squeeze) {
    x = relu(conv(s / "squeeze", x, squeeze, {.bias = true}));
    const Value expanded[] = {
        relu(conv(s / "expand1x1", x, 4 * squeeze, {.bias = true})),
        relu(conv(s / "expand3x3", x, 4 * squeeze, {.kernel = 3, .bias = true}))};
    return concat(expanded, 1);
}

Value features(const Scope &s, Value x, const Variant &variant) {
    x = relu(conv(s / 0, x, variant.stem_channels,
                  {.kernel = variant.stem_kernel, .stride = 2, .padding = 0, .bias = true}));
    int64_t child = 2;
    const auto pool_where_due = [&] {
        const auto &pools = variant.pooled_before;
        if (std::find(pools.begin(), pools.end(), child) == pools.end())
            return;
        x = max_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true});
        ++child;
    };
    for (const int64_t squeeze : kSqueeze) {
        pool_where_due();
        x = fire(s / child++, x, squeeze);
    }
    return x;
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    arguments.ignore("dropout");

    const Scope s =
        root.with_init({.conv_weight = Init::kKaimingUniform, .conv_bias = Init::kZeros});
    const Scope last =
        root.with_init({.conv_weight = Init::normal(0.01), .conv_bias = Init::kZeros});
    x = dropout(features(s / "features", x, variant));
    x = relu(conv(last / "classifier" / 1, x, num_classes, {.bias = true}));
    return flatten(adaptive_avg_pool(x));
}

} // namespace

nn::Family squeezenet() {
    return make_family(kVariants, build);
}

} // namespace tvw
