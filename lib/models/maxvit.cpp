// SPDX-License-Identifier: LGPL-2.1-or-later
// MaxViT (Tu et al. 2022, arXiv:2204.01697).
#include "nn/attention.h"
#include "nn/builder.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <cmath>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
};

constexpr Variant kVariants[] = {{"maxvit_t"}};

constexpr int64_t kStem = 64;
constexpr int64_t kChannels[] = {64, 128, 256, 512};
constexpr int64_t kLayers[] = {2, 2, 5, 2};
constexpr int64_t kHeadDepth = 32;
constexpr int64_t kPartition = 7;
constexpr double kEps = 1e-3;
constexpr auto kGelu = Activation::kGelu;

/// An inverted residual whose shortcut is averaged where it strides.
Value mbconv(const Scope &s, Value x, int64_t out, int64_t stride) {
    Value shortcut = x;
    if (stride != 1 || x.channels() != out) {
        if (stride == 2)
            shortcut = avg_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
        shortcut = conv(s / "proj" / (stride == 2 ? 1 : 0), shortcut, out, {.bias = true});
    }
    const Scope layers = s / "layers";
    const int64_t wide = 4 * out;
    Value y = batch_norm(layers / "pre_norm", x, {.eps = kEps});
    y = conv_norm_activation(layers / "conv_a", y, wide, {}, kGelu, kEps);
    y = conv_norm_activation(layers / "conv_b", y, wide,
                             {.kernel = 3, .stride = stride, .groups = wide}, kGelu, kEps);
    y = squeeze_excitation(layers / "squeeze_excitation", y, out / 4, Activation::kSilu,
                           Activation::kSigmoid);
    y = conv(layers / "conv_c", y, out, {.bias = true});
    return add(shortcut, stochastic_depth(y));
}

/// Attention with relative positions over x [B, tokens, C].
Value relative_attention(const Scope &s, Value x) {
    const int64_t width = x.shape()[2];
    const int64_t heads = width / kHeadDepth;
    const int64_t tokens = x.shape()[1];
    const Shape table_shape{(2 * kPartition - 1) * (2 * kPartition - 1), heads};
    const Value table =
        s.parameter("relative_position_bias_table", table_shape, Init::normal(0.02), table_shape);
    HostTensor index = relative_position_index(kPartition, kPartition);
    const HostTensor square(index.dtype(), {tokens, tokens}, {tokens, 1}, 0, index.storage());
    const Value flat = reshape(s.buffer("relative_position_index", square), {tokens * tokens});

    auto [q, k, v] = split_heads(linear(s / "to_qkv", x, 3 * width), heads);
    k = mul(k, scalar(s.graph(), float(std::pow(double(width), -0.5))));
    const Value bias = relative_position_bias(table, flat, tokens);
    return linear(s / "merge", attend(add(attention_scores(q, k), bias), v), width);
}

/// Windows of neighbours, or grids of pixels that lie evenly apart; either way as many tokens.
enum class Axis { kWindow, kGrid };

Value partition_attention(const Scope &s, Value image, Axis axis) {
    const Shape shape = image.shape();
    const int64_t side = axis == Axis::kWindow ? kPartition : shape[2] / kPartition;
    const int64_t rows = shape[2] / side;
    const int64_t columns = shape[3] / side;
    // Blocks of side × side pixels, then the tokens of a block or the blocks of a token.
    const std::vector<int64_t> to_tokens = axis == Axis::kWindow
                                               ? std::vector<int64_t>{0, 2, 4, 3, 5, 1}
                                               : std::vector<int64_t>{0, 3, 5, 2, 4, 1};
    const std::vector<int64_t> back = axis == Axis::kWindow
                                          ? std::vector<int64_t>{0, 5, 1, 3, 2, 4}
                                          : std::vector<int64_t>{0, 5, 3, 1, 4, 2};
    const int64_t tokens = kPartition * kPartition;

    Value x = permute(reshape(image, {shape[0], shape[1], rows, side, columns, side}), to_tokens);
    const Shape split = x.shape();
    x = reshape(x, {numel(shape) / tokens / shape[1], tokens, shape[1]});
    const Scope attention = s / "attn_layer";
    x = add(x, stochastic_depth(
                   dropout(relative_attention(attention / 1, layer_norm(attention / 0, x)))));
    const Scope feed = s / "mlp_layer";
    Value y = gelu(linear(feed / 1, layer_norm(feed / 0, x), 4 * shape[1]));
    x = add(x, stochastic_depth(dropout(linear(feed / 3, y, shape[1]))));
    return reshape(permute(reshape(x, split), back), shape);
}

/// Every stage's image must divide into partitions.
void check_size(const std::string &builder, const Shape &input, int64_t size) {
    if (input[2] != size || input[3] != size)
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("{} with input_size {} takes no image of {}×{}", builder, size,
                                input[2], input[3]));
    int64_t side = (size + 1) / 2;
    for (size_t i = 0; i < std::size(kChannels); ++i) {
        side = (side + 1) / 2;
        if (side % kPartition != 0)
            throw Error(ErrorKind::kInvalidArgument,
                        fmt::format("{}: Input size {} of block {} is not divisible by partition "
                                    "size {}",
                                    builder, side, i, kPartition));
    }
}

int64_t image_size(const Arguments &arguments) {
    ArgumentReader reader("maxvit_t", arguments);
    const std::vector<int64_t> sides = reader.integers("input_size", {224, 224});
    if (sides.size() != 2 || sides[0] != sides[1])
        throw Error(ErrorKind::kInvalidArgument, "maxvit_t: input_size must be two equal sides");
    return sides[0];
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant & /*only one*/) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const std::vector<int64_t> sides = arguments.integers("input_size", {224, 224});
    arguments.ignore("attention_dropout");
    arguments.ignore("mlp_dropout");
    check_size(arguments.builder(), x.shape(), sides.front());

    const Scope s = root.with_init({.conv_weight = Init::normal(0.02),
                                    .conv_bias = Init::kZeros,
                                    .linear_weight = Init::normal(0.02),
                                    .linear_bias = Init::kZeros});
    x = conv_norm_activation(s / "stem" / 0, x, kStem, {.kernel = 3, .stride = 2}, kGelu, kEps);
    x = conv(s / "stem" / 1 / 0, x, kStem, {.kernel = 3, .bias = true});
    for (size_t i = 0; i < std::size(kChannels); ++i) {
        for (int64_t j = 0; j < kLayers[i]; ++j) {
            const Scope layer = s / "blocks" / int64_t(i) / "layers" / j / "layers";
            x = mbconv(layer / "MBconv", x, kChannels[i], j == 0 ? 2 : 1);
            x = partition_attention(layer / "window_attention", x, Axis::kWindow);
            x = partition_attention(layer / "grid_attention", x, Axis::kGrid);
        }
    }
    const Scope classifier = s / "classifier";
    x = layer_norm(classifier / 2, flatten(adaptive_avg_pool(x)));
    x = activation(linear(classifier / 3, x, kChannels[3]), Activation::kTanh);
    return linear(classifier / 5, x, num_classes, /*bias=*/false);
}

} // namespace

nn::Family maxvit() {
    return make_family(kVariants, build, {.image_size = image_size});
}

} // namespace tvw
