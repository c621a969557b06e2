// SPDX-License-Identifier: LGPL-2.1-or-later
// MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381).
#include "nn/builder.h"

#include <algorithm>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
};

constexpr Variant kVariants[] = {{"mobilenet_v2"}};
constexpr std::string_view kQuantized[] = {"mobilenet_v2"};

/// A network that can be quantized has ReLU instead, also where it is not.
Activation relu6(const Scope &s) {
    return s.quantized_form().kind == QuantizedForm::Kind::kNone ? Activation::kRelu6
                                                                 : Activation::kRelu;
}

/// Table 2 of the paper.
struct Row {
    int64_t expand;
    int64_t out;
    int64_t layers;
    int64_t stride;
};

constexpr Row kRows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                         {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

/// Unlike later networks' blocks, this one keeps convolution and norm of its projection apart.
Value block(const Scope &s, Value x, int64_t expand, int64_t out, int64_t stride) {
    const Scope inner = s / "conv";
    const int64_t hidden = x.channels() * expand;
    int64_t child = 0;
    Value y = x;
    if (expand != 1)
        y = conv_norm_activation(inner / child++, y, hidden, {}, relu6(s));
    y = conv_norm_activation(inner / child++, y, hidden,
                             {.kernel = 3, .stride = stride, .groups = hidden}, relu6(s));
    y = conv(inner / child++, y, out);
    y = batch_norm(inner / child, y);
    return add_if(stride == 1 && x.channels() == out, s / "skip_add", x, y);
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant & /*only one*/) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const double width_mult = arguments.number("width_mult", 1);
    const int64_t round_nearest = arguments.integer("round_nearest", 8);
    arguments.ignore("dropout");
    const auto channels = [&](int64_t count, double width) {
        return make_divisible(double(count) * width, round_nearest);
    };

    const Scope s = root.with_init(kKaimingInit);
    const Scope features = s / "features";
    int64_t index = 0;
    x = quantize(s / "quant", x);
    x = conv_norm_activation(features / index++, x, channels(32, width_mult),
                             {.kernel = 3, .stride = 2}, relu6(s));
    for (const Row &row : kRows) {
        for (int64_t i = 0; i < row.layers; ++i)
            x = block(features / index++, x, row.expand, channels(row.out, width_mult),
                      i == 0 ? row.stride : 1);
    }
    x = conv_norm_activation(features / index, x, channels(1280, std::max(1.0, width_mult)), {},
                             relu6(s));
    x = dropout(flatten(adaptive_avg_pool(x)));
    return dequantize(linear(s / "classifier" / 1, x, num_classes));
}

} // namespace

nn::Family mobilenetv2() {
    return with_quantized(make_family(kVariants, build), kQuantized, {.backend = "qnnpack"});
}

} // namespace tvw
