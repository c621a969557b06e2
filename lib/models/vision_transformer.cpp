// SPDX-License-Identifier: LGPL-2.1-or-later
// Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929).
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
    int64_t patch;
    int64_t layers;
    int64_t heads;
    int64_t width;
};

constexpr Variant kVariants[] = {
    {"vit_b_16", 16, 12, 12, 768},  {"vit_b_32", 32, 12, 12, 768},  {"vit_l_16", 16, 24, 16, 1024},
    {"vit_l_32", 32, 24, 16, 1024}, {"vit_h_14", 14, 32, 16, 1280},
};

constexpr double kEps = 1e-6;

Value encoder_layer(const Scope &s, Value x, const Variant &variant) {
    Value y = self_attention(s / "self_attention", layer_norm(s / "ln_1", x, kEps), variant.heads);
    x = add(dropout(y), x);
    const Scope inner =
        s.with_init({.linear_weight = Init::kXavierUniform, .linear_bias = Init::normal(1e-6)});
    y = mlp(inner / "mlp", layer_norm(s / "ln_2", x, kEps), 4 * variant.width);
    return add(x, y);
}

/// The image as a sequence: a class token and one token for each patch, [N, 1 + patches, width].
Value tokens(const Scope &s, Value x, const Variant &variant) {
    const int64_t batch = x.shape()[0];
    const Shape token{1, 1, variant.width};
    Value class_token = s.parameter("class_token", token, Init::kZeros, token);
    // Spread over the batch by adding it to zeros.
    const std::vector<float> zeros(size_t(batch * variant.width));
    class_token = add(class_token, literal(s.graph(), {}, {batch, 1, variant.width}, zeros));

    const int64_t fan_in = 3 * variant.patch * variant.patch;
    const Scope patches = s.with_init(
        {.conv_weight = Init::normal(std::sqrt(1 / double(fan_in))), .conv_bias = Init::kZeros});
    x = conv(patches / "conv_proj", x, variant.width,
             {.kernel = variant.patch, .stride = variant.patch, .padding = 0, .bias = true});
    const Value parts[] = {class_token, permute(flatten(x, 2), {0, 2, 1})};
    return concat(parts, 1);
}

Value head(const Scope &s, Value x, int64_t representation, int64_t num_classes) {
    if (representation > 0) {
        const double deviation = std::sqrt(1 / double(x.shape().back()));
        const Scope pre =
            s.with_init({.linear_weight = Init::normal(deviation), .linear_bias = Init::kZeros});
        x = activation(linear(pre / "pre_logits", x, representation), Activation::kTanh);
    }
    return linear(s.with_init({.linear_weight = Init::kZeros, .linear_bias = Init::kZeros}) /
                      "head",
                  x, num_classes);
}

void check_image(const std::string &builder, const Shape &image, int64_t size, int64_t patch) {
    const auto refuse = [&](const std::string &why) {
        throw Error(ErrorKind::kInvalidArgument, builder + ": " + why);
    };
    if (size % patch != 0)
        refuse("Input shape indivisible by patch size!");
    if (image[2] != size)
        refuse(fmt::format("Wrong image height! Expected {} but got {}!", size, image[2]));
    if (image[3] != size)
        refuse(fmt::format("Wrong image width! Expected {} but got {}!", size, image[3]));
}

Value build(const Scope &s, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const int64_t representation = arguments.integer("representation_size", 0);
    const int64_t image_size = arguments.integer("image_size", 224);
    arguments.ignore("dropout");
    arguments.ignore("attention_dropout");
    check_image(arguments.builder(), x.shape(), image_size, variant.patch);

    x = tokens(s, x, variant);
    const Scope encoder = s / "encoder";
    const Shape positions{1, x.shape()[1], variant.width};
    x = add(x, encoder.parameter("pos_embedding", positions, Init::normal(0.02), positions));
    x = dropout(x);
    for (int64_t i = 0; i < variant.layers; ++i)
        x = encoder_layer(encoder / "layers" / ("encoder_layer_" + std::to_string(i)), x, variant);
    x = layer_norm(encoder / "ln", x, kEps);
    x = flatten(slice(x, 1, 0, 1)); // the class token alone
    return head(s / "heads", x, representation, num_classes);
}

int64_t image_size(const Arguments &arguments) {
    return ArgumentReader("", arguments).integer("image_size", 224);
}

/// Older files name the layers of the MLP "linear_1" and "linear_2".
std::string rename_key(std::string_view key) {
    constexpr std::pair<std::string_view, std::string_view> kLayers[] = {
        {".mlp.linear_1.", ".mlp.0."}, {".mlp.linear_2.", ".mlp.3."}};
    std::string renamed(key);
    for (const auto &[theirs, ours] : kLayers) {
        const size_t at = renamed.find(theirs);
        if (at != std::string::npos)
            renamed.replace(at, theirs.size(), ours);
    }
    return renamed;
}

} // namespace

nn::Family vision_transformer() {
    return make_family(kVariants, build, {.rename_key = rename_key, .image_size = image_size});
}

} // namespace tvw
