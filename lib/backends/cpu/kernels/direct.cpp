// SPDX-License-Identifier: LGPL-2.1-or-later
// Threads take bands of rows. A band's input is copied into a frame of zeros that stays in the
// caches. Then a row of results is a product of matrices, whose left one has rows as far apart as
// the kernel moves and columns where a list says.
#include "base/simd.h"

#include "backends/cpu/kernels/direct.h"
#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/parallel.h"

#include <algorithm>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/direct.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

void multiply_scattered(const Product &product) {
    multiply_alone<Columns::kScattered>(product);
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {
HWY_EXPORT(multiply_scattered);

SharedFloats DirectConvolution::pack(const float *weight, const Shape &shape) {
    return pack_filters(weight, shape.out_channels, shape.groups, shape.kernel[0] * shape.kernel[1],
                        shape.planes, shape.plane_channels / shape.groups);
}

DirectConvolution::DirectConvolution(const Shape &shape, SharedFloats weights)
    : shape_(shape),
      weights_(std::move(weights)),
      plane_line_(
          odd_lines((shape.width + shape.padding[1] + shape.padding[3]) * shape.plane_channels)),
      line_(shape.planes * plane_line_) {
    // In the order of the packed weights.
    const int64_t step = shape.dilation[1] * shape.plane_channels;
    for (int64_t plane = 0; plane < shape.planes; ++plane)
        for (int64_t i = 0; i < shape.kernel[0]; ++i)
            for (int64_t j = 0; j < shape.kernel[1]; ++j)
                for (int64_t c = 0; c < shape.plane_channels / shape.groups; ++c)
                    offsets_.push_back(i * shape.dilation[0] * line_ + plane * plane_line_ +
                                       j * step + c);
}

int64_t DirectConvolution::lines_of(int64_t rows) const {
    return (rows - 1) * shape_.stride[0] + (shape_.kernel[0] - 1) * shape_.dilation[0] + 1;
}

DirectConvolution::Bands DirectConvolution::bands(int threads) const {
    // Lines that two bands need are copied twice, so bands of one row would copy most of them.
    constexpr int64_t kLeastRows = 2;
    constexpr int64_t kBandsAThread = 4;
    const int64_t height = shape_.out_height();
    int64_t rows = threads == 1 ? height : shape_.batch * height / (kBandsAThread * threads);
    rows = std::clamp(rows, std::min(kLeastRows, height), height);
    while (rows > kLeastRows && lines_of(rows) * line_ > kHalfCacheFloats)
        --rows;
    return {rows, (height + rows - 1) / rows, lines_of(rows)};
}

size_t DirectConvolution::scratch_floats(int threads) const {
    // One thread alone, where that is quicker, takes larger bands.
    return size_t(std::max(threads * bands(threads).lines, bands(1).lines) * line_);
}

void DirectConvolution::pad_line(const float *from, int64_t pixel, float *to) const {
    const int64_t channels = shape_.plane_channels;
    if (pixel == channels) {
        std::copy_n(from, shape_.width * channels, to);
        return;
    }
    for (int64_t x = 0; x < shape_.width; ++x)
        std::copy_n(from + x * pixel, channels, to + x * channels);
}

/// Lines [first, first + lines) of all planes, as the padding counts them.
void DirectConvolution::pad(const Input &image, int64_t first, int64_t lines, float *padded) const {
    const int64_t left = shape_.padding[1] * shape_.plane_channels;
    const int64_t right = left + shape_.width * shape_.plane_channels;
    for (int64_t line = first; line < first + lines; ++line) {
        const int64_t row = line - shape_.padding[0];
        for (int64_t plane = 0; plane < shape_.planes; ++plane, padded += plane_line_) {
            if (row < 0 || row >= shape_.height) {
                std::fill_n(padded, plane_line_, 0.0f);
                continue;
            }
            std::fill_n(padded, left, 0.0f);
            pad_line(image.data + plane * image.plane + row * image.row, image.pixel,
                     padded + left);
            std::fill_n(padded + right, plane_line_ - right, 0.0f);
        }
    }
}

/// Rows [first, first + rows) of all images.
void DirectConvolution::convolve(const Image<float> &y, int64_t first, int64_t rows,
                                 const Epilogue &epilogue, const float *padded) const {
    const int64_t out = shape_.out_channels / shape_.groups;
    const int64_t group_floats = panels_of(out) * shape_.patch() * kPanel;
    for (int64_t group = 0; group < shape_.groups; ++group) {
        for (int64_t row = 0; row < rows; ++row) {
            const Product product{padded + row * shape_.stride[0] * line_ +
                                      group * shape_.group_channels(),
                                  shape_.stride[1] * shape_.plane_channels,
                                  y.width,
                                  y.at(0, first + row, 0) + group * out,
                                  y.pixel,
                                  weights_.get() + group * group_floats,
                                  out,
                                  shape_.patch(),
                                  epilogue.of((first + row) * y.width, group * out),
                                  offsets_.data()};
            HWY_DYNAMIC_DISPATCH(multiply_scattered)(product);
        }
    }
}

void DirectConvolution::run(const Input &x, const Image<float> &y, const Epilogue &epilogue,
                            float *scratch) const {
    const Bands cut = bands(team_size());
    parallel(y.batch * cut.count, [&](int64_t begin, int64_t end) {
        float *own = scratch + team_member() * cut.lines * line_;
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t n = unit / cut.count;
            const int64_t top = unit % cut.count * cut.rows;
            const int64_t rows = std::min(cut.rows, y.height - top);
            Input image = x;
            image.data += n * x.image;
            pad(image, top * shape_.stride[0], lines_of(rows), own);
            convolve(y, n * y.height + top, rows, epilogue, own);
        }
    });
}

} // namespace tvw::cpu
#endif
