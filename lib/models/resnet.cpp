// SPDX-License-Identifier: LGPL-2.1-or-later
// ResNet (He et al. 2015, arXiv:1512.03385), ResNeXt (Xie et al. 2016, arXiv:1611.05431) and Wide
// ResNet (Zagoruyko and Komodakis 2016, arXiv:1605.07146). As in torchvision, a bottleneck strides
// in its 3×3 convolution.
#include "nn/builder.h"

#include <tvw/error.h>

#include <array>

namespace tvw {
namespace {

using namespace nn;

enum class Block { kBasic, kBottleneck };

constexpr int64_t kGroups = 1;
constexpr int64_t kWidthPerGroup = 64;

struct Variant {
    const char *name;
    Block block;
    std::array<int64_t, 4> layers;
    int64_t groups = kGroups;
    int64_t width_per_group = kWidthPerGroup;
};

constexpr Variant kVariants[] = {
    {"resnet18", Block::kBasic, {2, 2, 2, 2}},
    {"resnet34", Block::kBasic, {3, 4, 6, 3}},
    {"resnet50", Block::kBottleneck, {3, 4, 6, 3}},
    {"resnet101", Block::kBottleneck, {3, 4, 23, 3}},
    {"resnet152", Block::kBottleneck, {3, 8, 36, 3}},
    {"resnext50_32x4d", Block::kBottleneck, {3, 4, 6, 3}, 32, 4},
    {"resnext101_32x8d", Block::kBottleneck, {3, 4, 23, 3}, 32, 8},
    {"resnext101_64x4d", Block::kBottleneck, {3, 4, 23, 3}, 64, 4},
    {"wide_resnet50_2", Block::kBottleneck, {3, 4, 6, 3}, 1, 128},
    {"wide_resnet101_2", Block::kBottleneck, {3, 4, 23, 3}, 1, 128},
};

constexpr std::string_view kQuantized[] = {"resnet18", "resnet50", "resnext101_32x8d",
                                           "resnext101_64x4d"};

/// What all blocks of one network have in common, and where the dilation stands.
struct Config {
    Block block;
    int64_t groups;
    int64_t width_per_group;
    bool zero_init_residual;
    int64_t dilation = 1;

    int64_t expansion() const { return block == Block::kBasic ? 1 : 4; }
};

Value last_norm(const Scope &s, Value x, const Config &config) {
    return batch_norm(s, x, {.weight = config.zero_init_residual ? Init::kZeros : Init::kOnes});
}

Value basic(const Scope &s, Value x, int64_t planes, int64_t stride, const Config &config) {
    x = relu(batch_norm(s / "bn1", conv(s / "conv1", x, planes, {.kernel = 3, .stride = stride})));
    return last_norm(s / "bn2", conv(s / "conv2", x, planes, {.kernel = 3}), config);
}

Value bottleneck(const Scope &s, Value x, int64_t planes, int64_t stride, int64_t dilation,
                 const Config &config) {
    const auto width =
        int64_t(double(planes) * (double(config.width_per_group) / 64)) * config.groups;
    x = relu(batch_norm(s / "bn1", conv(s / "conv1", x, width)));
    x = conv(s / "conv2", x, width,
             {.kernel = 3, .stride = stride, .dilation = dilation, .groups = config.groups});
    x = relu(batch_norm(s / "bn2", x));
    return last_norm(s / "bn3", conv(s / "conv3", x, planes * config.expansion()), config);
}

Value residual(const Scope &s, Value x, int64_t planes, int64_t stride, int64_t dilation,
               const Config &config) {
    Value y = config.block == Block::kBasic ? basic(s, x, planes, stride, config)
                                            : bottleneck(s, x, planes, stride, dilation, config);
    if (stride != 1 || x.channels() != y.channels()) {
        const Scope down = s / "downsample";
        x = batch_norm(down / 1, conv(down / 0, x, y.channels(), {.stride = stride}));
    }
    const char *sum = config.block == Block::kBasic ? "add_relu" : "skip_add_relu";
    return relu(add(s / sum, y, x));
}

Value stage(const Scope &s, Value x, int64_t planes, int64_t blocks, int64_t stride, bool dilate,
            Config &config) {
    const int64_t first_dilation = config.dilation;
    if (dilate)
        config.dilation *= std::exchange(stride, 1);
    x = residual(s / 0, x, planes, stride, first_dilation, config);
    for (int64_t i = 1; i < blocks; ++i)
        x = residual(s / i, x, planes, 1, config.dilation, config);
    return x;
}

void check(const std::string &builder, const Config &config, const std::vector<bool> &dilate) {
    const auto refuse = [&](const char *why) {
        throw Error(ErrorKind::kInvalidArgument, builder + ": " + why);
    };
    if (dilate.size() != 3)
        refuse("replace_stride_with_dilation should be None or a 3-element list");
    if (config.block != Block::kBasic)
        return;
    if (config.groups != kGroups || config.width_per_group != kWidthPerGroup)
        refuse("BasicBlock only supports groups=1 and base_width=64");
    if (dilate[0] || dilate[1] || dilate[2])
        refuse("Dilation > 1 not supported in BasicBlock");
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    // What makes a variant is not to be changed.
    const auto read = [&](const char *name, int64_t of_variant, int64_t usual) {
        return of_variant == usual ? arguments.integer(name, usual)
                                   : arguments.fixed(name, of_variant);
    };
    Config config{variant.block, read("groups", variant.groups, kGroups),
                  read("width_per_group", variant.width_per_group, kWidthPerGroup),
                  arguments.boolean("zero_init_residual", false)};
    const std::vector<bool> dilate =
        arguments.booleans("replace_stride_with_dilation", {false, false, false});
    check(arguments.builder(), config, dilate);

    const Scope s = root.with_init({.conv_weight = Init::kKaimingNormalFanOut});
    x = conv(s / "conv1", quantize(s / "quant", x), 64, {.kernel = 7, .stride = 2});
    x = max_pool(relu(batch_norm(s / "bn1", x)), {.kernel = 3, .stride = 2, .padding = 1});
    x = stage(s / "layer1", x, 64, variant.layers[0], 1, false, config);
    x = stage(s / "layer2", x, 128, variant.layers[1], 2, dilate[0], config);
    x = stage(s / "layer3", x, 256, variant.layers[2], 2, dilate[1], config);
    x = stage(s / "layer4", x, 512, variant.layers[3], 2, dilate[2], config);
    return dequantize(linear(s / "fc", flatten(adaptive_avg_pool(x)), num_classes));
}

} // namespace

nn::Family resnet() {
    return with_quantized(make_family(kVariants, build), kQuantized);
}

} // namespace tvw
