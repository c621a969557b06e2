// SPDX-License-Identifier: LGPL-2.1-or-later
// Depthwise convolution of images in NHWC: every channel has a kernel of its own (Howard et al.,
// MobileNets, https://arxiv.org/abs/1704.04861).
#pragma once

#include "backends/cpu/kernels/image.h"
#include "backends/cpu/memory.h"

#include <array>
#include <cstdint>
#include <memory>

namespace tvw::cpu {

/// The kernels of all channels in the order in which they are read: for every 16 channels
/// [kH · kW][16]. If a multiple of 16 does not end the channels, the last block holds the last 16
/// of them again, or, where there are fewer, zeros behind them. Does not change; may be shared by
/// convolutions of different shapes.
struct DepthwiseWeight {
    int64_t channels;
    std::array<int64_t, 2> kernel; ///< height, width
    SharedFloats values;
};

/// Packs weight [C, 1, kH, kW].
DepthwiseWeight pack_depthwise(const float *weight, int64_t channels,
                               std::array<int64_t, 2> kernel);

/// A depthwise convolution of one shape. torch.nn.functional.conv2d with groups = channels =
/// outputs; padding counts as zeros.
class Depthwise {
public:
    struct Shape {
        int64_t batch;
        int64_t height; ///< of the input
        int64_t width;
        int64_t channels;
        std::array<int64_t, 2> kernel; ///< height, width; so are stride and dilation
        std::array<int64_t, 2> stride{1, 1};
        std::array<int64_t, 2> dilation{1, 1};
        std::array<int64_t, 4> padding{0, 0, 0, 0}; ///< top, left, bottom, right
    };

    /// `weight` is [C, 1, kH, kW] and is not needed afterwards.
    Depthwise(const Shape &shape, const float *weight);
    /// `weight` is of the shape's channels and kernel.
    Depthwise(const Shape &shape, DepthwiseWeight weight);

    int64_t out_height() const { return out_height_; }
    int64_t out_width() const { return out_width_; }
    const DepthwiseWeight &weight() const { return weight_; }

    /// Floats of scratch memory that run() needs; 0 where no channel sums are asked for.
    int64_t scratch_floats(bool with_sums) const;

    /// y = epilogue(x ∗ weight). y must overlap neither x nor, unless they are the same image, the
    /// residual. `channel_sums` [N, C], if given, becomes the sum of each channel of y over all
    /// pixels, which the mean of squeeze-excitation is made of. `scratch` is aligned to 64 bytes.
    void run(Image<const float> x, Image<float> y, const Epilogue &epilogue,
             float *scratch = nullptr, float *channel_sums = nullptr) const;

private:
    int64_t most_bands() const;
    int64_t unit() const;
    int64_t bands(int64_t unit) const;

    Shape shape_;
    int64_t out_height_;
    int64_t out_width_;
    DepthwiseWeight weight_;
};

} // namespace tvw::cpu
