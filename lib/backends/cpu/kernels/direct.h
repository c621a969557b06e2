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

        int64_t out_height() const {
            return out_size(height, kernel[0], stride[0], dilation[0], padding[0], padding[2]);
        }
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

    size_t scratch_floats(int threads) const;

    /// y: [batch, out_height, out_width, out_channels]. scratch: 64-byte aligned, for team_size()
    /// threads. The residual may be y itself.
    void run(const Input &x, const Image<float> &y, const Epilogue &epilogue, float *scratch) const;

private:
    /// How the rows of results are cut up: a band's input stays in the caches.
    struct Bands {
        int64_t rows;  ///< of results, the last band of an image may have fewer
        int64_t count; ///< in an image
        int64_t lines; ///< of the input that a band's results are made of
    };
    Bands bands(int threads) const;
    int64_t lines_of(int64_t rows) const;
    void pad(const Input &image, int64_t first, int64_t lines, float *padded) const;
    void pad_line(const float *from, int64_t pixel, float *to) const;
    void convolve(const Image<float> &y, int64_t first, int64_t rows, const Epilogue &epilogue,
                  const float *padded) const;

    Shape shape_;
    SharedFloats weights_;
    int64_t plane_line_;           ///< floats of a padded line of one plane
    int64_t line_;                 ///< of all planes, which lie behind each other
    std::vector<int64_t> offsets_; ///< in the padded lines, of the values of a patch
};

} // namespace tvw::cpu
