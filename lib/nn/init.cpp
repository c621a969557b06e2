// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/init.h"

#include <cmath>

namespace tvw::nn {
namespace {

/// Elements of one filter's window: the product of what follows [out, in].
int64_t receptive_field(const Shape &weight) {
    return weight.size() > 2 ? numel({weight.begin() + 2, weight.end()}) : 1;
}

double fan_in(const Shape &weight) {
    return double(weight.at(1) * receptive_field(weight));
}
double fan_out(const Shape &weight) {
    return double(weight.at(0) * receptive_field(weight));
}

} // namespace

Distribution distribution(Init init, const Shape &weight) {
    using Kind = Distribution::Kind;
    switch (init) {
    case Init::kZeros:
        return {Kind::kConstant, 0};
    case Init::kOnes:
        return {Kind::kConstant, 1};
    case Init::kDefaultWeight:
    case Init::kDefaultBias:
        return {Kind::kUniform, 1 / std::sqrt(fan_in(weight))};
    case Init::kKaimingNormalFanOut:
        return {Kind::kNormal, std::sqrt(2 / fan_out(weight))};
    case Init::kNormal001:
        return {Kind::kNormal, 0.01};
    case Init::kUniformFanOut:
        return {Kind::kUniform, 1 / std::sqrt(fan_out(weight))};
    }
    return {};
}

} // namespace tvw::nn
