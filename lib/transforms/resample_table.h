// SPDX-License-Identifier: LGPL-2.1-or-later
// The one definition of which source samples a resized sample is made of, and with what weights.
#pragma once

#include <tvw/transforms.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tvw {

/// Which samples make one output.
struct ResampleWindow {
    int first = 0; ///< counted from the table's `begin`; never falls from output to output
    int count = 0;
    /// Of so many products each is rounded to float before it is added to the sum; the others are
    /// added with one rounding (fused multiply-add).
    int separate = 0;
};

/// One axis of a separable resize, for a run of outputs. Output i is the sum over k < count of
/// source[begin + first + k] * weights[i * taps + k], added in this order.
struct ResampleTable {
    int64_t begin = 0; ///< first source sample that any output uses
    int64_t end = 0;   ///< one past the last
    int taps = 0;      ///< the largest count
    std::vector<ResampleWindow> windows;
    std::vector<float> weights;
};

/// Outputs [first_output, first_output + count) of `src_size` samples resized to `dst_size`.
/// Sums equal LibTorch's float32 ones to the bit for the antialiased kernels (bicubic with
/// a = -0.5) and for nearest, and to a few roundings for plain bilinear and bicubic (a = -0.75).
ResampleTable make_resample_table(InterpolationMode mode, bool antialias, int64_t src_size,
                                  int64_t dst_size, int64_t first_output, int64_t count);

/// A table in whole numbers, for sums that stay within 16 bits: of the products of a weight and a
/// level less kMiddle in 256ths, each rounded to lose its last 15 bits. The weights of an output
/// add up to `one`. Samples are taken in pairs, of which the first is even; one that the window
/// does not have has no weight.
struct FixedTable {
    static constexpr int kMiddle = 128;

    /// Pairs that make one output.
    struct Window {
        size_t first = 0;
        size_t end = 0;
        size_t weights = 0; ///< where its own begin
    };

    int one = 0;
    std::vector<Window> windows;
    std::vector<int16_t> weights;

    /// Levels that one in a sum stands for.
    float unit() const { return 128.0F / float(one); }
    const int16_t *weights_of(const Window &window, size_t pair) const {
        return &weights[window.weights + 2 * (pair - window.first)];
    }
};

FixedTable make_fixed_table(const ResampleTable &table);

} // namespace tvw
