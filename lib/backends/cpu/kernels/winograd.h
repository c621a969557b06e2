// SPDX-License-Identifier: LGPL-2.1-or-later
// 3×3 convolutions with a quarter of the multiplications: F(4×4, 3×3) of Lavin & Gray, "Fast
// Algorithms for Convolutional Neural Networks", CVPR 2016.
#pragma once

#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/kernels/image.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tvw::cpu {

/// Convolution 3×3 with stride 1 and dilation 1. Each 4×4 tile of the result comes from a 6×6 tile
/// of the input; errors are about 1e-5 of the largest result.
class Winograd {
public:
    /// Of the input.
    struct Shape {
        int64_t batch;
        int64_t height;
        int64_t width;
        int64_t in_channels;
        int64_t out_channels;
        std::array<int64_t, 4> padding; ///< top, left, bottom, right; 0 to 2 each
        int64_t groups = 1;             ///< if several, of a multiple of kPanel results each

        int64_t out_height() const { return height + padding[0] + padding[2] - 2; }
        int64_t out_width() const { return width + padding[1] + padding[3] - 2; }
    };

    /// weight [out, in / groups, 3, 3], read here only and transformed in double precision, as
    /// [36][panels][in / groups][kPanel], zero beyond out_channels.
    static SharedFloats pack(const float *weight, int64_t out_channels, int64_t group_channels);

    Winograd(const Shape &shape, SharedFloats weights);
    Winograd(const Shape &shape, const float *weight)
        : Winograd(shape, pack(weight, shape.out_channels, shape.in_channels / shape.groups)) {}

    /// What `run` needs on a team of this size.
    size_t scratch_floats(int threads) const;

    /// x: [batch, height, width, in_channels], y: [batch, out_height, out_width, out_channels].
    /// scratch: 64-byte aligned. The residual may be y itself.
    void run(const Image<const float> &x, const Image<float> &y, const Epilogue &epilogue,
             float *scratch) const;

private:
    Shape shape_;
    SharedFloats weights_;
};

/// Whether this is expected to beat a direct convolution that runs near the CPU's peak.
bool winograd_pays(const Winograd::Shape &shape, int threads);

} // namespace tvw::cpu
