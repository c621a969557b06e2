// SPDX-License-Identifier: LGPL-2.1-or-later
// The one definition of which source samples a resized sample is made of, and with what weights.
#pragma once

#include <tvw/transforms.h>

#include <cstdint>
#include <vector>

namespace tvw {

/// One axis of a separable resize, for a run of outputs. Output i is the sum over k < taps of
/// source[begin + first[i] + k] * weights[i * taps + k], added in this order; `first` never falls.
struct ResampleTable {
    int64_t begin = 0; ///< first source sample that any output uses
    int64_t end = 0;   ///< one past the last
    int taps = 0;      ///< weights per output; unused ones are zero
    std::vector<int> first;
    std::vector<float> weights;
};

/// Outputs [first_output, first_output + count) of `src_size` samples resized to `dst_size`.
/// The weights equal LibTorch's float32 ones to the bit for the antialiased kernels (bicubic with
/// a = -0.5), for nearest and for plain bilinear; plain bicubic (a = -0.75) to one rounding.
ResampleTable make_resample_table(InterpolationMode mode, bool antialias, int64_t src_size,
                                  int64_t dst_size, int64_t first_output, int64_t count);

} // namespace tvw
