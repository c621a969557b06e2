// SPDX-License-Identifier: LGPL-2.1-or-later
// Computed in double and rounded to float exactly where LibTorch keeps a float, so that rounding
// to 8 bits afterwards decides ties as it does there. A product that LibTorch's compiler fuses
// with the addition after it is therefore not rounded on its own.
#include "transforms/resample_table.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

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

/// What one output is made of, before all outputs get the same number of weights.
struct Window {
    int64_t first = 0;
    std::vector<double> weights;
};

double scale_of(int64_t src_size, int64_t dst_size) {
    return double(float(src_size) / float(dst_size));
}

Window antialiased_window(InterpolationMode mode, int64_t src_size, double scale, int64_t output) {
    constexpr double kPillowCubic = -0.5;
    const double radius = mode == InterpolationMode::kBicubic ? 2 : 1;
    const double support = scale >= 1 ? rounded(radius * scale) : radius;
    const double inverse = scale >= 1 ? rounded(1 / scale) : 1;
    const double center = rounded(scale * (double(output) + 0.5));

    Window window;
    const auto first = int64_t(rounded(center - support) + 0.5);
    window.first = std::clamp<int64_t>(first, 0, src_size - 1);
    const int64_t end = std::min(int64_t(rounded(center + support) + 0.5), src_size);
    const int64_t most = int64_t(std::ceil(support)) * 2 + 1;
    const int64_t size = std::clamp<int64_t>(end - window.first, 1, most);

    double total = 0;
    for (int64_t k = 0; k < size; ++k) {
        const double offset = rounded(double(window.first + k) - center) + 0.5;
        const double x = std::abs(rounded(offset * inverse));
        const double weight =
            mode == InterpolationMode::kBicubic ? cubic(x, kPillowCubic) : triangle(x);
        window.weights.push_back(weight);
        total = rounded(total + weight);
    }
    for (double &weight : window.weights)
        weight = total != 0 ? rounded(weight / total) : weight;
    return window;
}

/// A window whose samples beyond the edges count as the edge's own.
Window folded(int64_t first, const std::vector<double> &weights, int64_t src_size) {
    const auto inside = [src_size](int64_t i) { return std::clamp<int64_t>(i, 0, src_size - 1); };
    Window window{inside(first), {}};
    for (size_t k = 0; k < weights.size(); ++k) {
        const auto slot = size_t(inside(first + int64_t(k)) - window.first);
        window.weights.resize(slot + 1);
        window.weights[slot] = rounded(window.weights[slot] + weights[k]);
    }
    return window;
}

Window plain_window(InterpolationMode mode, int64_t src_size, double scale, int64_t output) {
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

/// Gives every window the same number of weights without reading outside [begin, end).
ResampleTable packed(const std::vector<Window> &windows) {
    ResampleTable table;
    table.begin = windows.front().first;
    for (const Window &window : windows) {
        table.begin = std::min(table.begin, window.first);
        table.end = std::max(table.end, window.first + int64_t(window.weights.size()));
        table.taps = std::max(table.taps, int(window.weights.size()));
    }
    table.weights.resize(windows.size() * size_t(table.taps));
    for (size_t i = 0; i < windows.size(); ++i) {
        const int64_t first = std::min(windows[i].first, table.end - table.taps);
        table.first.push_back(int(first - table.begin));
        float *weights = &table.weights[i * size_t(table.taps) + size_t(windows[i].first - first)];
        for (const double weight : windows[i].weights)
            *weights++ = float(weight);
    }
    return table;
}

} // namespace

ResampleTable make_resample_table(InterpolationMode mode, bool antialias, int64_t src_size,
                                  int64_t dst_size, int64_t first_output, int64_t count) {
    // LibTorch leaves an axis alone that keeps its size.
    if (src_size == dst_size)
        mode = InterpolationMode::kNearest;
    const bool plain = !antialias || mode == InterpolationMode::kNearest;
    const double scale = scale_of(src_size, dst_size);
    std::vector<Window> windows;
    windows.reserve(size_t(count));
    for (int64_t i = first_output; i < first_output + count; ++i) {
        windows.push_back(plain ? plain_window(mode, src_size, scale, i)
                                : antialiased_window(mode, src_size, scale, i));
    }
    return packed(windows);
}

} // namespace tvw
