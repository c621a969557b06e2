// SPDX-License-Identifier: LGPL-2.1-or-later
// Swin Transformer (Liu et al. 2021, arXiv:2103.14030) and V2 (Liu et al. 2021, arXiv:2111.09883).
// Images are [N, H, W, C] inside.
#include "nn/attention.h"
#include "nn/builder.h"

#include <array>
#include <cmath>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
    int64_t width; ///< of the first stage; each later one doubles it
    std::array<int64_t, 4> depths;
    std::array<int64_t, 4> heads;
    int64_t window;
    bool v2 = false;
};

constexpr std::array<int64_t, 4> kNarrowHeads{3, 6, 12, 24};
constexpr std::array<int64_t, 4> kWideHeads{4, 8, 16, 32};

constexpr Variant kVariants[] = {
    {"swin_t", 96, {2, 2, 6, 2}, kNarrowHeads, 7},
    {"swin_s", 96, {2, 2, 18, 2}, kNarrowHeads, 7},
    {"swin_b", 128, {2, 2, 18, 2}, kWideHeads, 7},
    {"swin_v2_t", 96, {2, 2, 6, 2}, kNarrowHeads, 8, true},
    {"swin_v2_s", 96, {2, 2, 18, 2}, kNarrowHeads, 8, true},
    {"swin_v2_b", 128, {2, 2, 18, 2}, kWideHeads, 8, true},
};

/// How an image is cut: padded to whole windows, shifted where there is more than one.
struct Windows {
    int64_t side;
    int64_t height; ///< padded
    int64_t width;
    Size2 shift;

    int64_t count() const { return (height / side) * (width / side); }
    int64_t tokens() const { return side * side; }
    bool shifted() const { return shift[0] + shift[1] > 0; }
};

Windows cut(const Shape &image, int64_t side, bool shift) {
    const auto padded = [side](int64_t size) { return (size + side - 1) / side * side; };
    Windows windows{side, padded(image[1]), padded(image[2]), {0, 0}};
    if (shift)
        windows.shift = {windows.height > side ? side / 2 : 0, windows.width > side ? side / 2 : 0};
    return windows;
}

/// [N, H, W, C] to [N · windows, tokens, C].
Value partition(Value x, const Windows &windows) {
    const int64_t batch = x.shape()[0];
    const int64_t channels = x.shape()[3];
    const int64_t side = windows.side;
    x = pad_end(x, {0, windows.height - x.shape()[1], windows.width - x.shape()[2], 0});
    if (windows.shifted())
        x = roll(x, {-windows.shift[0], -windows.shift[1]}, {1, 2});
    x = reshape(x, {batch, windows.height / side, side, windows.width / side, side, channels});
    return reshape(permute(x, {0, 1, 3, 2, 4, 5}),
                   {batch * windows.count(), windows.tokens(), channels});
}

/// The way back, to the size before padding.
Value join(Value x, const Windows &windows, const Shape &image) {
    const int64_t side = windows.side;
    x = reshape(x, {image[0], windows.height / side, windows.width / side, side, side, image[3]});
    x = reshape(permute(x, {0, 1, 3, 2, 4, 5}),
                {image[0], windows.height, windows.width, image[3]});
    if (windows.shifted())
        x = roll(x, windows.shift, {1, 2});
    return slice(slice(x, 1, 0, image[1]), 2, 0, image[2]);
}

/// Which part of a shifted line a place came from: windows hold up to three that do not touch.
int64_t region(int64_t place, int64_t size, int64_t side, int64_t shift) {
    if (shift == 0 || place < size - side)
        return 0;
    return place < size - shift ? 1 : 2;
}

/// -100 between pixels that only the shift brought together: [1, windows, 1, tokens, tokens].
Value shift_mask(Graph &graph, const Windows &windows) {
    const int64_t across = windows.width / windows.side;
    const auto region_of = [&](int64_t window, int64_t token) {
        const int64_t y = window / across * windows.side + token / windows.side;
        const int64_t x = window % across * windows.side + token % windows.side;
        return 3 * region(y, windows.height, windows.side, windows.shift[0]) +
               region(x, windows.width, windows.side, windows.shift[1]);
    };
    const int64_t tokens = windows.tokens();
    std::vector<float> mask;
    mask.reserve(size_t(windows.count() * tokens * tokens));
    for (int64_t window = 0; window < windows.count(); ++window) {
        for (int64_t a = 0; a < tokens; ++a) {
            for (int64_t b = 0; b < tokens; ++b)
                mask.push_back(region_of(window, a) == region_of(window, b) ? 0.0F : -100.0F);
        }
    }
    return literal(graph, {}, {1, windows.count(), 1, tokens, tokens}, mask);
}

Value add_mask(Value scores, const Windows &windows) {
    const Shape shape = scores.shape();
    scores = reshape(scores,
                     {shape[0] / windows.count(), windows.count(), shape[1], shape[2], shape[3]});
    return reshape(add(scores, shift_mask(*scores.graph, windows)), shape);
}

/// Offsets between pixels of a window on V2's logarithmic scale: [1, 2·side - 1, 2·side - 1, 2].
HostTensor relative_coords_table(int64_t side) {
    const int64_t size = 2 * side - 1;
    const auto coordinate = [side](int64_t i) {
        const float scaled = float(i - (side - 1)) / float(side - 1) * 8;
        return std::copysign(std::log2(std::abs(scaled) + 1) / 3, scaled);
    };
    HostTensor table = HostTensor::zeros(DType::kFloat32, {1, size, size, 2});
    float *next = table.mutable_values<float>().data();
    for (int64_t y = 0; y < size; ++y) {
        for (int64_t x = 0; x < size; ++x) {
            *next++ = coordinate(y);
            *next++ = coordinate(x);
        }
    }
    return table;
}

/// V2's table of biases is a small network of the offsets.
Value continuous_table(const Scope &s, Value coordinates, int64_t heads) {
    const Value x = relu(linear(s / 0, coordinates, 512));
    const Value table = linear(s / 2, x, heads, /*bias=*/false);
    return reshape(table, {table.shape()[1] * table.shape()[2], heads});
}

/// V2 has no bias for keys, whatever the checkpoint holds there.
Value without_key_bias(Value bias) {
    const int64_t width = bias.shape()[0] / 3;
    std::vector<float> mask(size_t(3 * width), 1.0F);
    std::fill_n(mask.begin() + width, width, 0.0F);
    return mul(bias, literal(*bias.graph, {}, {3 * width}, mask));
}

/// Attention's parameters in torchvision's order: those of the module itself, then its children.
struct Attention {
    std::optional<Value> scale; ///< V2's, learnt for each head
    Value table;                ///< of biases; V2's is of offsets, from which it makes the biases
    Value index;                ///< into the table, for each pair of pixels
    Linear qkv;
    Linear proj;
};

Attention make_attention(const Scope &s, int64_t width, int64_t heads, int64_t side, bool v2) {
    const Shape scale{heads, 1, 1};
    const Shape table{(2 * side - 1) * (2 * side - 1), heads};
    Attention attention;
    if (v2) {
        attention.scale = s.parameter("logit_scale", scale, Init::constant(std::log(10.0)), scale);
        attention.table = s.buffer("relative_coords_table", relative_coords_table(side));
    } else {
        attention.table =
            s.parameter("relative_position_bias_table", table, Init::normal(0.02), table);
    }
    attention.index = s.buffer("relative_position_index", relative_position_index(side, side));
    attention.qkv = make_linear(s / "qkv", width, 3 * width);
    if (v2)
        attention.qkv.bias = without_key_bias(*attention.qkv.bias);
    attention.proj = make_linear(s / "proj", width, width);
    return attention;
}

/// What attention adds for the distance between pixels: [1, heads, tokens, tokens].
Value position_bias(const Scope &s, const Attention &layers, int64_t tokens, int64_t heads) {
    if (!layers.scale)
        return relative_position_bias(layers.table, layers.index, tokens);
    const Value table = continuous_table(s / "cpb_mlp", layers.table, heads);
    const Value bias = relative_position_bias(table, layers.index, tokens);
    return mul(activation(bias, Activation::kSigmoid), scalar(s.graph(), 16));
}

/// Products of queries and keys; V2 takes cosines.
Value similarity(Value q, Value k, std::optional<Value> scale) {
    if (!scale) {
        const auto depth = double(q.shape()[3]);
        return attention_scores(mul(q, scalar(*q.graph, float(std::pow(depth, -0.5)))), k);
    }
    return mul(attention_scores(normalize(q), normalize(k)),
               activation(clamp_max(*scale, std::log(100.0)), Activation::kExp));
}

Value attention(const Scope &s, Value image, int64_t heads, bool shift, const Variant &variant) {
    const Shape shape = image.shape();
    const Windows windows = cut(shape, variant.window, shift);
    const Attention layers = make_attention(s, shape[3], heads, windows.side, variant.v2);
    const auto [q, k, v] = split_heads(layers.qkv(partition(image, windows)), heads);
    Value scores =
        add(similarity(q, k, layers.scale), position_bias(s, layers, windows.tokens(), heads));
    if (windows.shifted())
        scores = add_mask(scores, windows);
    return join(dropout(layers.proj(attend(scores, v))), windows, shape);
}

/// V2 normalises after attention and MLP, V1 before them.
Value block(const Scope &s, Value x, int64_t heads, bool shift, double mlp_ratio,
            const Variant &variant) {
    const auto hidden = int64_t(double(x.shape()[3]) * mlp_ratio);
    if (variant.v2) {
        const LayerNorm norm1 = make_layer_norm(s / "norm1", x.shape()[3]);
        x = add(x, stochastic_depth(norm1(attention(s / "attn", x, heads, shift, variant))));
        const LayerNorm norm2 = make_layer_norm(s / "norm2", x.shape()[3]);
        return add(x, stochastic_depth(norm2(mlp(s / "mlp", x, hidden))));
    }
    x = add(x, stochastic_depth(
                   attention(s / "attn", layer_norm(s / "norm1", x), heads, shift, variant)));
    return add(x, stochastic_depth(mlp(s / "mlp", layer_norm(s / "norm2", x), hidden)));
}

/// Four neighbours become one pixel of twice the channels.
Value merge_patches(const Scope &s, Value x, bool v2) {
    const int64_t width = x.shape()[3];
    x = pad_end(x, {0, x.shape()[1] % 2, x.shape()[2] % 2, 0});
    const int64_t height = x.shape()[1];
    const int64_t across = x.shape()[2];
    const auto corner = [&](int64_t y0, int64_t x0) {
        return slice(slice(x, 1, y0, height, 2), 2, x0, across, 2);
    };
    const Value corners[] = {corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)};
    x = concat(corners, 3);
    const Linear reduction = make_linear(s / "reduction", 4 * width, 2 * width, /*bias=*/false);
    if (v2)
        return layer_norm(s / "norm", reduction(x));
    return reduction(layer_norm(s / "norm", x));
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const double mlp_ratio = arguments.number("mlp_ratio", 4);
    for (const auto *ignored : {"dropout", "attention_dropout", "stochastic_depth_prob"})
        arguments.ignore(ignored);

    const Scope s =
        root.with_init({.linear_weight = Init::normal(0.02), .linear_bias = Init::kZeros});
    const Scope features = s / "features";
    x = conv(features / 0 / 0, x, variant.width,
             {.kernel = 4, .stride = 4, .padding = 0, .bias = true});
    x = layer_norm(features / 0 / 2, permute(x, {0, 2, 3, 1}));
    int64_t index = 1;
    for (size_t stage = 0; stage < variant.depths.size(); ++stage) {
        if (stage > 0)
            x = merge_patches(features / index++, x, variant.v2);
        for (int64_t i = 0; i < variant.depths[stage]; ++i)
            x = block(features / index / i, x, variant.heads[stage], i % 2 == 1, mlp_ratio,
                      variant);
        ++index;
    }
    x = permute(layer_norm(s / "norm", x), {0, 3, 1, 2});
    return linear(s / "head", flatten(adaptive_avg_pool(x)), num_classes);
}

} // namespace

nn::Family swin_transformer() {
    return make_family(kVariants, build);
}

} // namespace tvw
