// SPDX-License-Identifier: LGPL-2.1-or-later
// The first convolution of a network: of images in NCHW with few channels.
#pragma once

#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/kernels/image.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tvw::cpu {

/// torch.nn.functional.conv2d without dilation and groups; padding counts as zeros. What a result
/// is made of is read where it lies in the planes, so nothing is laid out but a frame of zeros.
class StemConvolution {
public:
    struct Shape {
        int64_t batch;
        int64_t channels; ///< of the input
        int64_t height;
        int64_t width;
        std::array<int64_t, 2> kernel; ///< height, width; so is stride
        std::array<int64_t, 2> stride;
        std::array<int64_t, 4> padding; ///< top, left, bottom, right
    };

    /// Where the input's values lie: those of a row side by side.
    struct Planes {
        const float *data;
        int64_t image; ///< floats from one image to the next
        int64_t plane;
        int64_t row;
    };

    StemConvolution(const Shape &shape, PackedGemm weights);

    size_t scratch_floats() const;

    /// y: [batch, out_height, out_width, out_channels]. scratch: 64-byte aligned.
    void run(const Planes &x, const Image<float> &y, const Epilogue &epilogue,
             float *scratch) const;

private:
    void pad(const Planes &x, float *padded) const;

    Shape shape_;
    PackedGemm weights_; ///< [out][in · kH · kW]
    int64_t padded_height_;
    int64_t padded_width_;
    std::vector<int64_t> offsets_; ///< in the padded planes, of what the weights are multiplied by
};

} // namespace tvw::cpu
