// SPDX-License-Identifier: LGPL-2.1-or-later
// ShuffleNetV2 (Ma et al. 2018, arXiv:1807.11164).
#include "nn/builder.h"

#include <array>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
    std::array<int64_t, 5> channels; ///< of the stem, the three stages and the last convolution
};

constexpr Variant kVariants[] = {
    {"shufflenet_v2_x0_5", {24, 48, 96, 192, 1024}},
    {"shufflenet_v2_x1_0", {24, 116, 232, 464, 1024}},
    {"shufflenet_v2_x1_5", {24, 176, 352, 704, 1024}},
    {"shufflenet_v2_x2_0", {24, 244, 488, 976, 2048}},
};
constexpr std::string_view kQuantized[] = {"shufflenet_v2_x0_5", "shufflenet_v2_x1_0",
                                           "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"};
constexpr int64_t kRepeats[] = {4, 8, 4};

/// Convolution and norm at the children `at` and `at + 1`.
Value conv_norm(const Scope &s, int64_t at, Value x, int64_t out, const ConvOptions &options = {}) {
    return batch_norm(s / (at + 1), conv(s / at, x, out, options));
}

/// Two groups of channels, interleaved.
Value channel_shuffle(Value x) {
    const Shape shape = x.shape();
    x = reshape(x, {shape[0], 2, shape[1] / 2, shape[2], shape[3]});
    return reshape(permute(x, {0, 2, 1, 3, 4}), shape);
}

Value branch1(const Scope &s, Value x, int64_t out) {
    x = conv_norm(s, 0, x, x.channels(), {.kernel = 3, .stride = 2, .groups = x.channels()});
    return relu(conv_norm(s, 2, x, out));
}

Value branch2(const Scope &s, Value x, int64_t out, int64_t stride) {
    x = relu(conv_norm(s, 0, x, out));
    x = conv_norm(s, 3, x, out, {.kernel = 3, .stride = stride, .groups = out});
    return relu(conv_norm(s, 5, x, out));
}

/// A block that strides works on all channels in both branches, another on half of them.
Value block(const Scope &s, Value x, int64_t out, int64_t stride) {
    const int64_t half = out / 2;
    const bool split = stride == 1;
    const Value kept = split ? slice(x, 1, 0, half) : branch1(s / "branch1", x, half);
    const Value rest = split ? slice(x, 1, half, x.channels()) : x;
    const Value parts[] = {kept, branch2(s / "branch2", rest, half, stride)};
    return channel_shuffle(concat(s / "cat", parts, 1));
}

Value build(const Scope &s, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    x = quantize(s / "quant", x);
    x = relu(conv_norm(s / "conv1", 0, x, variant.channels[0], {.kernel = 3, .stride = 2}));
    x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
    for (size_t i = 0; i < std::size(kRepeats); ++i) {
        const Scope stage = s / ("stage" + std::to_string(i + 2));
        for (int64_t j = 0; j < kRepeats[i]; ++j)
            x = block(stage / j, x, variant.channels[i + 1], j == 0 ? 2 : 1);
    }
    x = relu(conv_norm(s / "conv5", 0, x, variant.channels[4]));
    return dequantize(linear(s / "fc", spatial_mean(x), num_classes));
}

} // namespace

nn::Family shufflenetv2() {
    return with_quantized(make_family(kVariants, build), kQuantized);
}

} // namespace tvw
