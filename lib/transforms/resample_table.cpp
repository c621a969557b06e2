// SPDX-License-Identifier: LGPL-2.1-or-later
// Computed in double and rounded to float exactly where LibTorch keeps a float, so that rounding
// to 8 bits afterwards decides ties as it does there. A product that LibTorch's compiler fuses
// with the addition after it is therefore not rounded on its own.
#include "transforms/resample_table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>

namespace tvw {
namespace {

/// The value as a float holds it.
double rounded(double value) {
    return double(float(value));
}

/// Keys' cubic convolution kernel (1981) at distance `x` with parameter `a`.
double cubic(double x, double a) {
    if (x < 1) {
        const double inner = rounded((a + 2) * x - (a + 3));
        return rounded(rounded(inner * x) * x + 1);
    }
    if (x < 2) {
        const double inner = rounded(rounded(a * x - 5 * a) * x + 8 * a);
        return rounded(inner * x - 4 * a);
    }
    return 0;
}

double triangle(double x) {
    return x < 1 ? rounded(1 - x) : 0;
}

/// What one output is made of.
struct Taps {
    int64_t first = 0;
    std::vector<double> weights;
};

double scale_of(int64_t src_size, int64_t dst_size) {
    return double(float(src_size) / float(dst_size));
}

Taps antialiased_taps(InterpolationMode mode, int64_t src_size, double scale, int64_t output) {
    constexpr double kPillowCubic = -0.5;
    const double radius = mode == InterpolationMode::kBicubic ? 2 : 1;
    const double support = scale >= 1 ? rounded(radius * scale) : radius;
    const double inverse = scale >= 1 ? rounded(1 / scale) : 1;
    const double center = rounded(scale * (double(output) + 0.5));

    Taps taps;
    const auto first = int64_t(std::floor(rounded(center - support) + 0.5));
    taps.first = std::clamp<int64_t>(first, 0, src_size - 1);
    const auto end = int64_t(std::floor(rounded(center + support) + 0.5));
    const int64_t most = int64_t(std::ceil(support)) * 2 + 1;
    const int64_t size = std::clamp<int64_t>(std::min(end, src_size) - taps.first, 1, most);

    double total = 0;
    for (int64_t k = 0; k < size; ++k) {
        const double offset = rounded(double(taps.first + k) - center) + 0.5;
        const double x = std::abs(rounded(offset * inverse));
        const double weight =
            mode == InterpolationMode::kBicubic ? cubic(x, kPillowCubic) : triangle(x);
        taps.weights.push_back(weight);
        total = rounded(total + weight);
    }
    for (double &weight : taps.weights)
        weight = total != 0 ? rounded(weight / total) : weight;
    return taps;
}

/// Taps whose samples beyond the edges count as the edge's own.
Taps folded(int64_t first, const std::vector<double> &weights, int64_t src_size) {
    const auto inside = [src_size](int64_t i) { return std::clamp<int64_t>(i, 0, src_size - 1); };
    Taps taps{inside(first), {}};
    for (size_t k = 0; k < weights.size(); ++k) {
        const auto slot = size_t(inside(first + int64_t(k)) - taps.first);
        taps.weights.resize(slot + 1);
        taps.weights[slot] = rounded(taps.weights[slot] + weights[k]);
    }
    return taps;
}

Taps plain_taps(InterpolationMode mode, int64_t src_size, double scale, int64_t output) {
    constexpr double kPlainCubic = -0.75;
    if (mode == InterpolationMode::kNearest)
        return folded(int64_t(rounded(double(output) * scale)), {1}, src_size);

    double position = rounded(rounded(scale * (double(output) + 0.5)) - 0.5);
    if (mode == InterpolationMode::kBilinear)
        position = std::max(position, 0.0);
    const double base = std::floor(position);
    const double t = rounded(position - base);
    const double u = rounded(1 - t);
    if (mode == InterpolationMode::kBilinear)
        return folded(int64_t(base), {u, t}, src_size);
    return folded(int64_t(base) - 1,
                  {cubic(t + 1, kPlainCubic), cubic(t, kPlainCubic), cubic(u, kPlainCubic),
                   cubic(u + 1, kPlainCubic)},
                  src_size);
}

/// LibTorch's loop over an output's samples, as its compiler vectorised it: after the first, whole
/// groups of four are multiplied at once and added one by one, what is left over is fused. (Found
/// by comparing sums bit by bit; the builds for AVX2 and AVX-512 agree.)
int separate_products(int count) {
    constexpr int kGroup = 4;
    return 1 + (count - 1) / kGroup * kGroup;
}

ResampleTable packed(const std::vector<Taps> &outputs) {
    ResampleTable table;
    table.begin = outputs.front().first;
    for (const Taps &output : outputs) {
        table.end = std::max(table.end, output.first + int64_t(output.weights.size()));
        table.taps = std::max(table.taps, int(output.weights.size()));
    }
    table.weights.resize(outputs.size() * size_t(table.taps));
    float *weights = table.weights.data();
    for (const Taps &output : outputs) {
        const auto count = int(output.weights.size());
        table.windows.push_back({int(output.first - table.begin), count, separate_products(count)});
        std::transform(output.weights.begin(), output.weights.end(), weights,
                       [](double weight) { return float(weight); });
        weights += table.taps;
    }
    return table;
}

/// The largest sum of an output's weights, without their signs.
double most_of(const ResampleTable &table) {
    double most = 0;
    for (size_t i = 0; i < table.windows.size(); ++i) {
        const float *weights = &table.weights[size_t(table.taps) * i];
        most = std::max(most, std::accumulate(weights, weights + table.windows[i].count, 0.0,
                                              [](double sum, float weight) {
                                                  return sum + std::abs(double(weight));
                                              }));
    }
    return most;
}

} // namespace

ResampleTable make_resample_table(InterpolationMode mode, bool antialias, int64_t src_size,
                                  int64_t dst_size, int64_t first_output, int64_t count) {
    // LibTorch leaves an axis alone that keeps its size.
    if (src_size == dst_size)
        mode = InterpolationMode::kNearest;
    const bool plain = !antialias || mode == InterpolationMode::kNearest;
    const double scale = scale_of(src_size, dst_size);
    std::vector<Taps> outputs;
    outputs.reserve(size_t(count));
    for (int64_t i = first_output; i < first_output + count; ++i) {
        outputs.push_back(plain ? plain_taps(mode, src_size, scale, i)
                                : antialiased_taps(mode, src_size, scale, i));
    }
    return packed(outputs);
}

FixedTable make_fixed_table(const ResampleTable &table) {
    FixedTable fixed;
    // Rounding adds up to one to each weight, and up to a half to each product.
    const int one = int((INT16_MAX - 2 * table.taps) / most_of(table));
    fixed.one = one;
    for (size_t i = 0; i < table.windows.size(); ++i) {
        const auto first = size_t(table.windows[i].first);
        const auto count = size_t(table.windows[i].count);
        const FixedTable::Window window = {first / 2, (first + count + 1) / 2,
                                           fixed.weights.size()};
        fixed.windows.push_back(window);
        fixed.weights.resize(window.weights + 2 * (window.end - window.first));
        // Sums are rounded rather than weights: errors of neighbours then cancel each other.
        const float *exact = &table.weights[size_t(table.taps) * i];
        int16_t *weights = &fixed.weights[window.weights + first % 2];
        double sum = 0;
        int given = 0;
        for (size_t k = 0; k < count; ++k) {
            sum += double(exact[k]);
            const int wanted = k + 1 == count ? one : int(std::lrint(sum * one));
            weights[k] = int16_t(wanted - given);
            given = wanted;
        }
    }
    return fixed;
}

} // namespace tvw
