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

/// Some channels of a frame, resized by one table an axis.
struct Plane {
    Axis x;
    Axis y;
    float *rows; ///< [y.samples, channels, x.outputs], resized horizontally
};

/// A frame, or a region of one, and where it goes.
struct Job {
    pixel::Source source;
    Plane pixels; ///< R, G and B or, if `fast`, Y'
    Plane chroma; ///< Cb and Cr if `fast`; has no samples otherwise
    bool fast;
    pixel::YuvMatrix matrix; ///< if `fast`
    int left;                ///< where its pixels begin in the output; zeros surround them
    int top;
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

/// The sums of a window, each in the table's order: `load(k, values)` reads its sample k.
template<int kCount, class Load>
TVW_HOST_DEVICE inline void sum_window(const Axis &axis, int output, const Load &load,
                                       float (&sum)[kCount]) {
    const ResampleWindow window = axis.windows[output];
    const float *weights = axis.weights + ptrdiff_t(output) * axis.taps;
    for (float &s : sum)
        s = 0;
    float values[kCount];
    int k = 0;
    for (; k < window.separate; ++k) {
        load(window.first + k, values);
        for (int c = 0; c < kCount; ++c)
            sum[c] = values[c] * weights[k] + sum[c];
    }
    for (; k < window.count; ++k) {
        load(window.first + k, values);
        for (int c = 0; c < kCount; ++c)
            sum[c] = fmaf(values[c], weights[k], sum[c]);
    }
}

/// Sums up one output of a row; `load(x, values)` reads the samples in column x of the frame.
template<int kCount, class Load>
TVW_HOST_DEVICE inline void resize_horizontally(const Plane &plane, int column, int row,
                                                const Load &load) {
    float sum[kCount];
    sum_window(
        plane.x, column, [&](int k, float(&values)[kCount]) { load(plane.x.first + k, values); },
        sum);
    float *dst = plane.rows + ptrdiff_t(row) * kCount * plane.x.outputs + column;
    for (int c = 0; c < kCount; ++c)
        dst[ptrdiff_t(c) * plane.x.outputs] = sum[c];
}

/// Sums up one output of a column of rows that were resized horizontally.
template<int kCount>
TVW_HOST_DEVICE inline void resize_vertically(const Plane &plane, int column, int row,
                                              float (&sum)[kCount]) {
    const ptrdiff_t stride = plane.x.outputs;
    const float *src = plane.rows + column;
    sum_window(
        plane.y, row,
        [&](int k, float(&values)[kCount]) {
            for (int c = 0; c < kCount; ++c)
                values[c] = src[(ptrdiff_t(k) * kCount + c) * stride];
        },
        sum);
}

/// Rows of the first pass: those of chroma follow those of the pixels.
TVW_HOST_DEVICE inline int row_count(const Job &job) {
    return job.pixels.y.samples + job.chroma.y.samples;
}

/// The first pass, for one column of its result and one of the frame's rows.
TVW_HOST_DEVICE inline void resize_row_sample(const Job &job, int column, int row) {
    const pixel::Source &source = job.source;
    if (column >= job.pixels.x.outputs || row >= row_count(job))
        return;
    if (!job.fast) {
        const int y = job.pixels.y.first + row;
        resize_horizontally<3>(job.pixels, column, row, [&](int x, float(&values)[3]) {
            const pixel::Rgb rgb = pixel::rgb_at(source, x, y);
            values[0] = float(rgb.r);
            values[1] = float(rgb.g);
            values[2] = float(rgb.b);
        });
        return;
    }
    const auto sample = [&](int c, int x, int y) {
        return float(pixel::sample_at(source.sample, source.component[c], x, y));
    };
    const int chroma_row = row - job.pixels.y.samples;
    if (chroma_row < 0) {
        const int y = job.pixels.y.first + row;
        resize_horizontally<1>(job.pixels, column, row,
                               [&](int x, float(&values)[1]) { values[0] = sample(0, x, y); });
    } else {
        const int y = job.chroma.y.first + chroma_row;
        resize_horizontally<2>(job.chroma, column, chroma_row, [&](int x, float(&values)[2]) {
            values[0] = sample(1, x, y);
            values[1] = sample(2, x, y);
        });
    }
}

/// The 8-bit stage of one pixel of the resized picture.
TVW_HOST_DEVICE inline pixel::Rgb resized_pixel(const Job &job, int column, int row) {
    if (!job.fast) {
        float sum[3];
        resize_vertically(job.pixels, column, row, sum);
        return {pixel::level_of(sum[0]), pixel::level_of(sum[1]), pixel::level_of(sum[2])};
    }
    float luma[1];
    float chroma[2];
    resize_vertically(job.pixels, column, row, luma);
    resize_vertically(job.chroma, column, row, chroma);
    return pixel::samples_to_rgb(job.matrix, luma[0], chroma[0], chroma[1]);
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
    if (x >= 0 && x < job.pixels.x.outputs && y >= 0 && y < job.pixels.y.outputs)
        level = resized_pixel(job, x, y);
    T *dst = output.data + index * output.image + row * output.row + column * output.column;
    dst[0] = output.values[level.r];
    dst[output.channel] = output.values[256 + level.g];
    dst[2 * output.channel] = output.values[2 * 256 + level.b];
}

} // namespace tvw::grid
