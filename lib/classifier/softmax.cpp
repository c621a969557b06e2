// SPDX-License-Identifier: LGPL-2.1-or-later
#include "classifier/softmax.h"

#include <tvw/error.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tvw {

std::vector<double> softmax(std::span<const float> logits) {
    if (!std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }))
        throw Error(ErrorKind::kMismatch,
                    "the model answered NaN or infinity: the checkpoint does not fit its input");
    std::vector<double> result(logits.begin(), logits.end());
    if (result.empty())
        return result;
    const double largest = *std::max_element(result.begin(), result.end());
    double sum = 0;
    for (double &value : result) {
        value = std::exp(value - largest);
        sum += value;
    }
    for (double &value : result)
        value /= sum;
    return result;
}

std::vector<int> top_k(std::span<const double> values, int count, double threshold) {
    std::vector<int> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    const auto kept = order.begin() + std::clamp(ptrdiff_t(count), ptrdiff_t{0}, std::ssize(order));
    std::partial_sort(order.begin(), kept, order.end(), [&](int a, int b) {
        const double x = values[size_t(a)];
        const double y = values[size_t(b)];
        return x != y ? x > y : a < b;
    });
    order.erase(kept, order.end());
    std::erase_if(order, [&](int index) { return values[size_t(index)] < threshold; });
    return order;
}

} // namespace tvw
