// SPDX-License-Identifier: LGPL-2.1-or-later
// What the kernels on images share: where an image lies, and what is done to results before they
// are stored. Kernels know neither graph nor plan: pointers in, pointers out.
#pragma once

#include "graph/op.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace tvw::cpu {

/// Images in NHWC: element (n, y, x, c) is data[((n · height + y) · width + x) · pixel + c].
/// `pixel` is above `channels` where the image is some channels of a wider one.
template<typename T>
struct Image {
    T *data;
    int64_t batch;
    int64_t height;
    int64_t width;
    int64_t channels;
    int64_t pixel;

    T *at(int64_t n, int64_t y, int64_t x) const {
        return data + ((n * height + y) * width + x) * pixel;
    }
};

/// What is stored: activation(result + bias + residual).
struct Epilogue {
    const float *bias = nullptr;     ///< [channels]
    const float *residual = nullptr; ///< an image of the result's size
    int64_t residual_pixel = 0;      ///< floats from one of its pixels to the next
    std::optional<op::ActivationKind> activation = {};

    /// The same for a part of the result that begins at this pixel and channel.
    Epilogue of(int64_t first_pixel, int64_t first_channel) const {
        Epilogue part = *this;
        if (bias != nullptr)
            part.bias += first_channel;
        if (residual != nullptr)
            part.residual += first_pixel * residual_pixel + first_channel;
        return part;
    }
};

/// How many results there are along one side.
constexpr int64_t out_size(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                           int64_t before, int64_t behind) {
    return (size + before + behind - dilation * (kernel - 1) - 1) / stride + 1;
}

/// sums[n][c] = sum over parts of partials[n][part][c], always in the same order.
inline void add_partials(int64_t batch, int64_t parts, int64_t channels, const float *partials,
                         float *sums) {
    for (int64_t n = 0; n < batch; ++n, sums += channels) {
        std::copy_n(partials, channels, sums);
        partials += channels;
        for (int64_t part = 1; part < parts; ++part, partials += channels)
            for (int64_t c = 0; c < channels; ++c)
                sums[c] += partials[c];
    }
}

} // namespace tvw::cpu
