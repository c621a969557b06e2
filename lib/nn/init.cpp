// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/init.h"

#include <cmath>

namespace tvw::nn {
namespace {

/// Elements of one filter's window: the product of what follows [out, in].
int64_t receptive_field(const Shape &weight) {
    return weight.size() > 2 ? numel({weight.begin() + 2, weight.end()}) : 1;
}

double fan_of(Init::Fan fan, const Shape &weight) {
    const auto field = double(receptive_field(weight));
    switch (fan) {
    case Init::Fan::kNone:
        break;
    case Init::Fan::kIn:
        return double(weight.at(1)) * field;
    case Init::Fan::kOut:
        return double(weight.at(0)) * field;
    case Init::Fan::kSum:
        return double(weight.at(0) + weight.at(1)) * field;
    }
    return 1;
}

} // namespace

Distribution distribution(const Init &init, const Shape &weight) {
    if (init.fan == Init::Fan::kNone)
        return {init.kind, init.value};
    return {init.kind, std::sqrt(init.value / fan_of(init.fan, weight))};
}

} // namespace tvw::nn
