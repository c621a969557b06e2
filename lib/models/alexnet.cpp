// SPDX-License-Identifier: LGPL-2.1-or-later
// AlexNet in the one-column form of Krizhevsky 2014, arXiv:1404.5997.
#include "nn/builder.h"

namespace tvw {
namespace {

using namespace nn;

struct Variant {
    const char *name;
};

constexpr Variant kVariants[] = {{"alexnet"}};

Value build(const Scope &s, Value x, ArgumentReader &arguments, const Variant & /*only one*/) {
    const int64_t num_classes = arguments.integer("num_classes", 1000);
    arguments.ignore("dropout");

    const PoolOptions pool{.kernel = 3, .stride = 2};
    const Scope features = s / "features";
    x = relu(conv(features / 0, x, 64, {.kernel = 11, .stride = 4, .padding = 2, .bias = true}));
    x = relu(conv(features / 3, max_pool(x, pool), 192, {.kernel = 5, .bias = true}));
    x = relu(conv(features / 6, max_pool(x, pool), 384, {.kernel = 3, .bias = true}));
    x = relu(conv(features / 8, x, 256, {.kernel = 3, .bias = true}));
    x = relu(conv(features / 10, x, 256, {.kernel = 3, .bias = true}));
    x = flatten(adaptive_avg_pool(max_pool(x, pool), 6));

    const Scope classifier = s / "classifier";
    x = relu(linear(classifier / 1, dropout(x), 4096));
    x = relu(linear(classifier / 4, dropout(x), 4096));
    return linear(classifier / 6, x, num_classes);
}

} // namespace

nn::Family alexnet() {
    return make_family(kVariants, build);
}

} // namespace tvw
