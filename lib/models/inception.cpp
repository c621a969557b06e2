// SPDX-License-Identifier: LGPL-2.1-or-later
// Inception v3 (Szegedy et al. 2015, arXiv:1512.00567).
#include "nn/inception.h"
#include "nn/builder.h"

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
};

constexpr Variant kVariants[] = {{"inception_v3"}};
constexpr std::string_view kQuantized[] = {"inception_v3"};

constexpr Extent k1x7{1, 7};
constexpr Extent k7x1{7, 1};
constexpr Extent k1x3{1, 3};
constexpr Extent k3x1{3, 1};

/// One convolution of a chain; its name follows the branch's.
struct Link {
    const char *name;
    int64_t channels;
    ConvOptions options{};
};

/// A 3×3 convolution of stride 2 without padding.
constexpr ConvOptions kReduce{.kernel = 3, .stride = 2, .padding = 0};

Value chain(const Scope &s, Value x, std::initializer_list<Link> links) {
    for (const Link &link : links)
        x = basic_conv(s / link.name, x, link.channels, link.options);
    return x;
}

Value pool_branch(const Scope &s, Value x, int64_t channels) {
    return basic_conv(s / "branch_pool", avg_pool(x, {.kernel = 3, .stride = 1, .padding = 1}),
                      channels);
}

Value inception_a(const Scope &s, Value x, int64_t pool_channels) {
    const Value branches[] = {
        chain(s, x, {{"branch1x1", 64}}),
        chain(s, x, {{"branch5x5_1", 48}, {"branch5x5_2", 64, {.kernel = 5}}}),
        chain(s, x,
              {{"branch3x3dbl_1", 64},
               {"branch3x3dbl_2", 96, {.kernel = 3}},
               {"branch3x3dbl_3", 96, {.kernel = 3}}}),
        pool_branch(s, x, pool_channels)};
    return concat(s / "myop", branches, 1);
}

Value inception_b(const Scope &s, Value x) {
    const Value branches[] = {chain(s, x, {{"branch3x3", 384, kReduce}}),
                              chain(s, x,
                                    {{"branch3x3dbl_1", 64},
                                     {"branch3x3dbl_2", 96, {.kernel = 3}},
                                     {"branch3x3dbl_3", 96, kReduce}}),
                              max_pool(x, {.kernel = 3, .stride = 2})};
    return concat(s / "myop", branches, 1);
}

Value inception_c(const Scope &s, Value x, int64_t width) {
    const Value branches[] = {chain(s, x, {{"branch1x1", 192}}),
                              chain(s, x,
                                    {{"branch7x7_1", width},
                                     {"branch7x7_2", width, {.kernel = k1x7}},
                                     {"branch7x7_3", 192, {.kernel = k7x1}}}),
                              chain(s, x,
                                    {{"branch7x7dbl_1", width},
                                     {"branch7x7dbl_2", width, {.kernel = k7x1}},
                                     {"branch7x7dbl_3", width, {.kernel = k1x7}},
                                     {"branch7x7dbl_4", width, {.kernel = k7x1}},
                                     {"branch7x7dbl_5", 192, {.kernel = k1x7}}}),
                              pool_branch(s, x, 192)};
    return concat(s / "myop", branches, 1);
}

Value inception_d(const Scope &s, Value x) {
    const Value branches[] = {chain(s, x, {{"branch3x3_1", 192}, {"branch3x3_2", 320, kReduce}}),
                              chain(s, x,
                                    {{"branch7x7x3_1", 192},
                                     {"branch7x7x3_2", 192, {.kernel = k1x7}},
                                     {"branch7x7x3_3", 192, {.kernel = k7x1}},
                                     {"branch7x7x3_4", 192, kReduce}}),
                              max_pool(x, {.kernel = 3, .stride = 2})};
    return concat(s / "myop", branches, 1);
}

/// A 1×3 and a 3×1 convolution of the same input.
Value split(const Scope &s, Value x, const char *wide, const char *high, const char *sum) {
    const Value halves[] = {chain(s, x, {{wide, 384, {.kernel = k1x3}}}),
                            chain(s, x, {{high, 384, {.kernel = k3x1}}})};
    return concat(s / sum, halves, 1);
}

Value inception_e(const Scope &s, Value x) {
    const Value one = chain(s, x, {{"branch1x1", 320}});
    const Value three =
        split(s, chain(s, x, {{"branch3x3_1", 384}}), "branch3x3_2a", "branch3x3_2b", "myop1");
    const Value doubled =
        chain(s, x, {{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, {.kernel = 3}}});
    const Value branches[] = {one, three,
                              split(s, doubled, "branch3x3dbl_3a", "branch3x3dbl_3b", "myop2"),
                              pool_branch(s, x, 192)};
    return concat(s / "myop3", branches, 1);
}

void auxiliary_head(const Scope &s, int64_t num_classes) {
    Value x = basic_conv(s / "conv0", stand_in(s, {1, 768, 5, 5}), 128);
    const Scope fine = s.with_init({.conv_weight = Init::normal(0.01)});
    x = basic_conv(fine / "conv1", x, 768, {.kernel = 5, .padding = 0});
    linear(s.with_init({.linear_weight = Init::normal(0.001)}) / "fc", flatten(x), num_classes);
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant & /*only one*/) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const bool aux_logits = arguments.boolean("aux_logits", true);
    const bool transform_input = arguments.boolean("transform_input", false);
    arguments.ignore("init_weights");
    arguments.ignore("dropout");
    const Scope s =
        root.with_init({.conv_weight = Init::normal(0.1), .linear_weight = Init::normal(0.1)});

    if (transform_input)
        x = transform_inception_input(x);
    x = quantize(s / "quant", x);
    x = chain(s, x,
              {{"Conv2d_1a_3x3", 32, kReduce},
               {"Conv2d_2a_3x3", 32, {.kernel = 3, .padding = 0}},
               {"Conv2d_2b_3x3", 64, {.kernel = 3}}});
    x = max_pool(x, {.kernel = 3, .stride = 2});
    x = chain(s, x, {{"Conv2d_3b_1x1", 80}, {"Conv2d_4a_3x3", 192, {.kernel = 3, .padding = 0}}});
    x = max_pool(x, {.kernel = 3, .stride = 2});
    x = inception_a(s / "Mixed_5b", x, 32);
    x = inception_a(s / "Mixed_5c", x, 64);
    x = inception_a(s / "Mixed_5d", x, 64);
    x = inception_b(s / "Mixed_6a", x);
    x = inception_c(s / "Mixed_6b", x, 128);
    x = inception_c(s / "Mixed_6c", x, 160);
    x = inception_c(s / "Mixed_6d", x, 160);
    x = inception_c(s / "Mixed_6e", x, 192);
    if (aux_logits)
        auxiliary_head(s / "AuxLogits", num_classes);
    x = inception_d(s / "Mixed_7a", x);
    x = inception_e(s / "Mixed_7b", x);
    x = inception_e(s / "Mixed_7c", x);
    x = flatten(dropout(adaptive_avg_pool(x)));
    return dequantize(linear(s / "fc", x, num_classes));
}

/// A checkpoint may have been saved without its auxiliary head.
void adapt(Arguments &arguments, const ShapeOf &shape_of) {
    if (shape_of("AuxLogits.conv0.conv.weight").empty())
        arguments.emplace("aux_logits", false);
}

} // namespace

nn::Family inception() {
    return with_quantized(make_family(kVariants, build, {.adapt = adapt}), kQuantized,
                          {.reduce = drop_auxiliary_heads});
}

} // namespace tvw
