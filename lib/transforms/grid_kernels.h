// SPDX-License-Identifier: LGPL-2.1-or-later
// Preprocessing as a GPU does it: what each thread of a grid computes. Written for host and device
// alike, so that a loop over the grid shows on any machine that the bits are the CPU's.
//
// Two passes over all frames of a batch: `resize_row_sample` resizes the rows of the frames
// horizontally, `write_pixel` resizes the result vertically and puts it into the tensor.
#pragma once

#include "transforms/pixel.h"
#include "transforms/resample_table.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace tvw::grid {

/// One axis of a resize, with its table where the threads can read it.
struct Axis {
    const ResampleWindow *windows;
    const float *weights;
    int taps;
    int outputs;
    int first;   ///< sample of the frame that the windows count from
    int samples; ///< from it on, that outputs are made of
};

/// A frame, or a region of one, and where it goes.
struct Job {
    pixel::Source source;
    Axis x;
    Axis y;
    float *rows; ///< [y.samples, 3, x.outputs], resized horizontally
    int left;    ///< where its pixels begin in the output; zeros surround them
    int top;
};

/// What the three channels of a pixel add up to.
struct Sums {
    float r, g, b;
};

/// The tensor that a batch is written to.
template<typename T>
struct Output {
    T *data;
    const T *values; ///< [3, 256]: what a level becomes
    int width;
    int height;
    ptrdiff_t image; ///< elements from image to image, and so on
    ptrdiff_t channel;
    ptrdiff_t row;
    ptrdiff_t column;
};

/// Threads of a block.
constexpr int kBlockWidth = 32;
constexpr int kBlockHeight = 8;

/// Blocks of `size` that hold `count`.
TVW_HOST_DEVICE constexpr unsigned blocks(int count, int size) {
    return unsigned(count / size + (count % size != 0 ? 1 : 0));
}

/// The sums of a window, each in the table's order: `load(k)` reads the channels of its sample k.
template<class Load>
TVW_HOST_DEVICE inline Sums sum_window(const Axis &axis, int output, const Load &load) {
    const ResampleWindow window = axis.windows[output];
    const float *weights = axis.weights + ptrdiff_t(output) * axis.taps;
    Sums sum = {0, 0, 0};
    int k = 0;
    for (; k < window.separate; ++k) {
        const Sums value = load(window.first + k);
        sum = {value.r * weights[k] + sum.r, value.g * weights[k] + sum.g,
               value.b * weights[k] + sum.b};
    }
    for (; k < window.count; ++k) {
        const Sums value = load(window.first + k);
        sum = {fmaf(value.r, weights[k], sum.r), fmaf(value.g, weights[k], sum.g),
               fmaf(value.b, weights[k], sum.b)};
    }
    return sum;
}

/// The first pass, for one column of its result and one of the frame's rows.
TVW_HOST_DEVICE inline void resize_row_sample(const Job &job, int column, int row) {
    if (column >= job.x.outputs || row >= job.y.samples)
        return;
    const Sums sum = sum_window(job.x, column, [&](int k) {
        const pixel::Rgb rgb = pixel::rgb_at(job.source, job.x.first + k, job.y.first + row);
        return Sums{float(rgb.r), float(rgb.g), float(rgb.b)};
    });
    const ptrdiff_t channel = job.x.outputs;
    float *dst = job.rows + 3 * channel * row + column;
    dst[0] = sum.r;
    dst[channel] = sum.g;
    dst[2 * channel] = sum.b;
}

/// The 8-bit stage of one pixel of the resized picture.
TVW_HOST_DEVICE inline pixel::Rgb resized_pixel(const Job &job, int column, int row) {
    const ptrdiff_t channel = job.x.outputs;
    const Sums sum = sum_window(job.y, row, [&](int k) {
        const float *src = job.rows + 3 * channel * k + column;
        return Sums{src[0], src[channel], src[2 * channel]};
    });
    return {pixel::level_of(sum.r), pixel::level_of(sum.g), pixel::level_of(sum.b)};
}

/// The second pass, for one pixel of image `index`.
template<typename T>
TVW_HOST_DEVICE inline void write_pixel(const Job &job, const Output<T> &output, int index,
                                        int column, int row) {
    if (column >= output.width || row >= output.height)
        return;
    const int x = column - job.left;
    const int y = row - job.top;
    pixel::Rgb level = {0, 0, 0};
    if (x >= 0 && x < job.x.outputs && y >= 0 && y < job.y.outputs)
        level = resized_pixel(job, x, y);
    T *dst = output.data + index * output.image + row * output.row + column * output.column;
    dst[0] = output.values[level.r];
    dst[output.channel] = output.values[256 + level.g];
    dst[2 * output.channel] = output.values[2 * 256 + level.b];
}

} // namespace tvw::grid
