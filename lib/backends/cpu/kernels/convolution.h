// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution of any kernel, stride, dilation, padding and number of groups, as a product of
// matrices (Chellapilla et al., High Performance Convolutional Neural Networks for Document
// Processing, 2006): the patches that some pixels see are laid out in rows first.
#pragma once

#include "backends/cpu/kernels/image.h"
#include "backends/cpu/memory.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tvw::cpu {

/// A convolution of one shape. torch.nn.functional.conv2d; padding counts as zeros.
class Convolution {
public:
    struct Shape {
        int64_t batch;
        int64_t height; ///< of the input
        int64_t width;
        int64_t in_channels;
        int64_t out_channels;
        std::array<int64_t, 2> kernel; ///< height, width; so are stride and dilation
        std::array<int64_t, 2> stride{1, 1};
        std::array<int64_t, 2> dilation{1, 1};
        std::array<int64_t, 4> padding{0, 0, 0, 0}; ///< top, left, bottom, right
        int64_t groups = 1;

        int64_t out_height() const {
            return out_size(height, kernel[0], stride[0], dilation[0], padding[0], padding[2]);
        }
        int64_t out_width() const {
            return out_size(width, kernel[1], stride[1], dilation[1], padding[1], padding[3]);
        }
        /// Values of the input that a result is made of, in the order of the kernel's rows, columns
        /// and the group's channels.
        int64_t patch() const { return kernel[0] * kernel[1] * in_channels / groups; }
    };

    /// weight [out, in / groups, kH, kW], read here only, as [groups][panels][patch][kPanel], zero
    /// beyond a group's channels. The same for all shapes that differ in size alone.
    static SharedFloats pack(const float *weight, const Shape &shape);

    Convolution(const Shape &shape, SharedFloats weights);

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

} // namespace tvw::cpu
