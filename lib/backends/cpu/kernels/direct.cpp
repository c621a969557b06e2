// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is copied into a frame of zeros. Then a row of results is a product of matrices, whose
// left one has rows as far apart as the kernel moves and columns where a list says.
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
      padded_height_(shape.height + shape.padding[0] + shape.padding[2]),
      padded_row_((shape.width + shape.padding[1] + shape.padding[3]) * shape.plane_channels) {
    // In the order of the packed weights.
    const int64_t step = shape.dilation[1] * shape.plane_channels;
    for (int64_t plane = 0; plane < shape.planes; ++plane)
        for (int64_t i = 0; i < shape.kernel[0]; ++i)
            for (int64_t j = 0; j < shape.kernel[1]; ++j)
                for (int64_t c = 0; c < shape.plane_channels / shape.groups; ++c) {
                    const int64_t row = plane * padded_height_ + i * shape.dilation[0];
                    offsets_.push_back(row * padded_row_ + j * step + c);
                }
}

size_t DirectConvolution::scratch_floats() const {
    return size_t(shape_.batch * shape_.planes * padded_height_ * padded_row_);
}

void DirectConvolution::pad_row(const float *from, int64_t pixel, float *to) const {
    const int64_t channels = shape_.plane_channels;
    if (pixel == channels) {
        std::copy_n(from, shape_.width * channels, to);
        return;
    }
    for (int64_t x = 0; x < shape_.width; ++x)
        std::copy_n(from + x * pixel, channels, to + x * channels);
}

void DirectConvolution::pad(const Input &x, float *padded) const {
    const int64_t top = shape_.padding[0];
    const int64_t left = shape_.padding[1] * shape_.plane_channels;
    const int64_t right = shape_.padding[3] * shape_.plane_channels;
    parallel(shape_.batch * shape_.planes * padded_height_, [&](int64_t begin, int64_t end) {
        for (int64_t line = begin; line < end; ++line) {
            float *to = padded + line * padded_row_;
            const int64_t plane = line / padded_height_;
            const int64_t row = line % padded_height_ - top;
            if (row < 0 || row >= shape_.height) {
                std::fill_n(to, padded_row_, 0.0f);
                continue;
            }
            std::fill_n(to, left, 0.0f);
            pad_row(x.data + plane / shape_.planes * x.image + plane % shape_.planes * x.plane +
                        row * x.row,
                    x.pixel, to + left);
            std::fill_n(to + padded_row_ - right, right, 0.0f);
        }
    });
}

void DirectConvolution::run(const Input &x, const Image<float> &y, const Epilogue &epilogue,
                            float *scratch) const {
    pad(x, scratch);
    const int64_t image = shape_.planes * padded_height_ * padded_row_;
    const int64_t step = shape_.stride[0] * padded_row_;
    const int64_t out = shape_.out_channels / shape_.groups;
    const int64_t group_floats = panels_of(out) * shape_.patch() * kPanel;
    parallel(y.batch * y.height * shape_.groups, [&](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t group = unit % shape_.groups;
            const int64_t row = unit / shape_.groups; // of all images
            const float *from = scratch + row / y.height * image + row % y.height * step +
                                group * shape_.group_channels();
            const Product product{from,
                                  shape_.stride[1] * shape_.plane_channels,
                                  y.width,
                                  y.at(0, row, 0) + group * out,
                                  y.pixel,
                                  weights_.get() + group * group_floats,
                                  out,
                                  shape_.patch(),
                                  epilogue.of(row * y.width, group * out),
                                  offsets_.data()};
            HWY_DYNAMIC_DISPATCH(multiply_scattered)(product);
        }
    });
}

} // namespace tvw::cpu
#endif
