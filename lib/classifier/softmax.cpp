// SPDX-License-Identifier: LGPL-2.1-or-later
#include "classifier/softmax.h"

#include <tvw/error.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tvw {

void softmax(std::span<const float> logits, std::vector<double> &probabilities) {
    if (!std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }))
        throw Error(ErrorKind::kMismatch,
                    "the model answered NaN or infinity: the checkpoint does not fit its input");
    probabilities.assign(logits.begin(), logits.end());
    if (probabilities.empty())
        return;
    const double largest = *std::max_element(probabilities.begin(), probabilities.end());
    double sum = 0;
    for (double &value : probabilities) {
        value = std::exp(value - largest);
        sum += value;
    }
    for (double &value : probabilities)
        value /= sum;
}

void top_k(std::span<const double> values, int count, double threshold, std::vector<int> &indices) {
    indices.resize(values.size());
    std::iota(indices.begin(), indices.end(), 0);
    const auto kept =
        indices.begin() + std::clamp(ptrdiff_t(count), ptrdiff_t{0}, std::ssize(indices));
    std::partial_sort(indices.begin(), kept, indices.end(), [&](int a, int b) {
        const double x = values[size_t(a)];
        const double y = values[size_t(b)];
        return x != y ? x > y : a < b;
    });
    indices.erase(kept, indices.end());
    std::erase_if(indices, [&](int index) { return values[size_t(index)] < threshold; });
}

} // namespace tvw
