// SPDX-License-Identifier: LGPL-2.1-or-later
// Pooling of images in NHWC, and what is multiplied back into them by channel.
#pragma once

#include "backends/cpu/kernels/image.h"

#include <array>
#include <cstdint>

namespace tvw::cpu {

/// The windows of a pool: those of y's pixel (i, j) begin at (i · stride - padding). Where they end
/// outside of the image is no matter.
struct PoolWindow {
    std::array<int64_t, 2> kernel; ///< height, width; so are stride and padding
    std::array<int64_t, 2> stride;
    std::array<int64_t, 2> padding{0, 0}; ///< top, left
};

/// torch.nn.functional.max_pool2d; padding counts as -inf. NaN in a window makes its result NaN.
void max_pool(Image<const float> x, Image<float> y, const PoolWindow &window);

/// torch.nn.functional.avg_pool2d: padding counts as zeros, that are averaged over.
void average_pool(Image<const float> x, Image<float> y, const PoolWindow &window);

/// torch.nn.functional.adaptive_avg_pool2d: windows from floor(i · in / out) to
/// ceil((i + 1) · in / out).
void adaptive_average_pool(Image<const float> x, Image<float> y);

/// Floats of scratch memory that global_mean() needs.
int64_t global_mean_scratch_floats(int64_t batch, int64_t channels);

/// mean [N, C] of all pixels of each channel. `scratch` is aligned to 64 bytes.
void global_mean(Image<const float> x, float *mean, float *scratch);

/// y = x · scale [N, C]; y may be x.
void scale_channels(Image<const float> x, const float *scale, Image<float> y);

} // namespace tvw::cpu
