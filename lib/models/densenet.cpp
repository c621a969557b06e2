// SPDX-License-Identifier: LGPL-2.1-or-later
// DenseNet (Huang et al. 2016, arXiv:1608.06993).
#include "nn/builder.h"

#include <array>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
    int64_t growth_rate;
    std::array<int64_t, 4> blocks;
    int64_t stem_channels;
};

constexpr Variant kVariants[] = {
    {"densenet121", 32, {6, 12, 24, 16}, 64},
    {"densenet161", 48, {6, 12, 36, 24}, 96},
    {"densenet169", 32, {6, 12, 32, 32}, 64},
    {"densenet201", 32, {6, 12, 48, 32}, 64},
};

/// What a layer adds to what it was given.
Value layer(const Scope &s, Value x, int64_t growth_rate, int64_t bottleneck) {
    x = conv(s / "conv1", relu(batch_norm(s / "norm1", x)), bottleneck * growth_rate);
    x = conv(s / "conv2", relu(batch_norm(s / "norm2", x)), growth_rate, {.kernel = 3});
    return dropout(x);
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const int64_t bottleneck = arguments.integer("bn_size", 4);
    arguments.ignore("drop_rate");
    arguments.ignore("memory_efficient");

    const Scope s =
        root.with_init({.conv_weight = Init::kKaimingNormalFanIn, .linear_bias = Init::kZeros});
    const Scope features = s / "features";
    x = conv(features / "conv0", x, variant.stem_channels, {.kernel = 7, .stride = 2});
    x = max_pool(relu(batch_norm(features / "norm0", x)), {.kernel = 3, .stride = 2, .padding = 1});
    for (size_t i = 0; i < variant.blocks.size(); ++i) {
        const std::string number = std::to_string(i + 1);
        const Scope block = features / ("denseblock" + number);
        for (int64_t j = 1; j <= variant.blocks[i]; ++j) {
            const Value parts[] = {x, layer(block / ("denselayer" + std::to_string(j)), x,
                                            variant.growth_rate, bottleneck)};
            x = concat(parts, 1);
        }
        if (i + 1 == variant.blocks.size())
            break;
        const Scope transition = features / ("transition" + number);
        x = relu(batch_norm(transition / "norm", x));
        x = avg_pool(conv(transition / "conv", x, x.channels() / 2), {.kernel = 2, .stride = 2});
    }
    x = relu(batch_norm(features / "norm5", x));
    return linear(s / "classifier", flatten(adaptive_avg_pool(x)), num_classes);
}

/// Published files write "denselayer1.norm.1.weight" for "denselayer1.norm1.weight".
std::string rename_key(std::string_view key) {
    std::string renamed(key);
    const size_t layer = renamed.find(".denselayer");
    for (const std::string_view module : {".norm.", ".relu.", ".conv."}) {
        const size_t at = renamed.find(module, layer == std::string::npos ? renamed.size() : layer);
        if (at != std::string::npos)
            renamed.erase(at + module.size() - 1, 1);
    }
    return renamed;
}

} // namespace

nn::Family densenet() {
    return make_family(kVariants, build, {.rename_key = rename_key});
}

} // namespace tvw
