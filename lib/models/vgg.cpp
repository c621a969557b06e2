// SPDX-License-Identifier: LGPL-2.1-or-later
// VGG (Simonyan and Zisserman 2014, arXiv:1409.1556), with and without batch norm.
#include "nn/builder.h"

#include <array>

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
    std::array<int, 5> depths; ///< convolutions before each pooling
    bool batch_norm;
};

constexpr std::array<int, 5> kA{1, 1, 2, 2, 2};
constexpr std::array<int, 5> kB{2, 2, 2, 2, 2};
constexpr std::array<int, 5> kD{2, 2, 3, 3, 3};
constexpr std::array<int, 5> kE{2, 2, 4, 4, 4};
constexpr int64_t kChannels[] = {64, 128, 256, 512, 512};

constexpr Variant kVariants[] = {
    {"vgg11", kA, false}, {"vgg11_bn", kA, true}, {"vgg13", kB, false}, {"vgg13_bn", kB, true},
    {"vgg16", kD, false}, {"vgg16_bn", kD, true}, {"vgg19", kE, false}, {"vgg19_bn", kE, true},
};

Value features(const Scope &s, Value x, const Variant &variant) {
    int64_t index = 0;
    for (size_t stage = 0; stage < variant.depths.size(); ++stage) {
        for (int layer = 0; layer < variant.depths[stage]; ++layer) {
            x = conv(s / index++, x, kChannels[stage], {.kernel = 3, .bias = true});
            if (variant.batch_norm)
                x = batch_norm(s / index++, x);
            x = relu(x);
            ++index;
        }
        x = max_pool(x, {.kernel = 2, .stride = 2});
        ++index;
    }
    return x;
}

Value build(const Scope &root, Value x, ArgumentReader &arguments, const Variant &variant) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    const bool init_weights = arguments.boolean("init_weights", true);
    arguments.ignore("dropout");

    const Scope s = init_weights ? root.with_init(kKaimingInit) : root;
    x = flatten(adaptive_avg_pool(features(s / "features", x, variant), 7));
    const Scope classifier = s / "classifier";
    x = dropout(relu(linear(classifier / 0, x, 4096)));
    x = dropout(relu(linear(classifier / 3, x, 4096)));
    return linear(classifier / 6, x, num_classes);
}

} // namespace

nn::Family vgg() {
    return make_family(kVariants, build);
}

} // namespace tvw
