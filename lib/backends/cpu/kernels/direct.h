// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution that reads what a result is made of where it lies, for results made of little: the
// first layer of a network, and groups of few channels.
#pragma once

#include "backends/cpu/kernels/image.h"
#include "backends/cpu/memory.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tvw::cpu {

/// torch.nn.functional.conv2d; padding counts as zeros. The input lies in planes of some channels
/// side by side: NCHW is planes of one channel, NHWC one plane of all.
class DirectConvolution {
public:
    struct Shape {
        int64_t batch;
        int64_t planes; ///< 1 if there are several groups
        int64_t height; ///< of the input
        int64_t width;
        int64_t plane_channels;
        int64_t out_channels;
        std::array<int64_t, 2> kernel; ///< height, width; so are stride and dilation
        std::array<int64_t, 2> stride{1, 1};
        std::array<int64_t, 2> dilation{1, 1};
        std::array<int64_t, 4> padding{0, 0, 0, 0}; ///< top, left, bottom, right
        int64_t groups = 1;

        int64_t group_channels() const { return planes * plane_channels / groups; }
        /// How many values of the input a result is made of.
        int64_t patch() const { return kernel[0] * kernel[1] * group_channels(); }
    };

    /// Strides in floats; the channels of a plane are 1 apart.
    struct Input {
        const float *data;
        int64_t image;
        int64_t plane;
        int64_t row;
        int64_t pixel;
    };

    /// weight [out, in / groups, kH, kW], read here only, as [groups][panels][patch][kPanel], zero
    /// beyond a group's channels. The same for all shapes that differ in size alone.
    static SharedFloats pack(const float *weight, const Shape &shape);

    DirectConvolution(const Shape &shape, SharedFloats weights);

    size_t scratch_floats() const;

    /// y: [batch, out_height, out_width, out_channels]. scratch: 64-byte aligned. The residual may
    /// be y itself.
    void run(const Input &x, const Image<float> &y, const Epilogue &epilogue, float *scratch) const;

private:
    void pad(const Input &x, float *padded) const;
    void pad_row(const float *from, int64_t pixel, float *to) const;

    Shape shape_;
    SharedFloats weights_;
    int64_t padded_height_;
    int64_t padded_row_;           ///< floats
    std::vector<int64_t> offsets_; ///< in the padded planes, of the values of a patch
};

} // namespace tvw::cpu
