// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/kernels/simd.h"

#include "backends/cpu/kernels/stem.h"

#include "backends/cpu/parallel.h"

#include <algorithm>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/stem.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

void multiply_scattered(const Product &product) {
    const Tasks tasks(product);
    multiply_tasks<Columns::kScattered>(tasks, 0, tasks.count());
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(multiply_scattered);

StemConvolution::StemConvolution(const Shape &shape, PackedGemm weights)
    : shape_(shape),
      weights_(std::move(weights)),
      padded_height_(shape.height + shape.padding[0] + shape.padding[2]),
      padded_width_(shape.width + shape.padding[1] + shape.padding[3]) {
    for (int64_t c = 0; c < shape.channels; ++c)
        for (int64_t i = 0; i < shape.kernel[0]; ++i)
            for (int64_t j = 0; j < shape.kernel[1]; ++j)
                offsets_.push_back((c * padded_height_ + i) * padded_width_ + j);
}

size_t StemConvolution::scratch_floats() const {
    return size_t(shape_.batch * shape_.channels * padded_height_ * padded_width_);
}

void StemConvolution::pad(const Planes &x, float *padded) const {
    const auto &[top, left, bottom, right] = shape_.padding;
    parallel(shape_.batch * shape_.channels * padded_height_, [&](int64_t begin, int64_t end) {
        for (int64_t line = begin; line < end; ++line) {
            float *to = padded + line * padded_width_;
            const int64_t plane = line / padded_height_;
            const int64_t row = line % padded_height_ - top;
            if (row < 0 || row >= shape_.height) {
                std::fill_n(to, padded_width_, 0.0f);
                continue;
            }
            std::fill_n(to, left, 0.0f);
            std::copy_n(x.data + plane / shape_.channels * x.image +
                            plane % shape_.channels * x.plane + row * x.row,
                        shape_.width, to + left);
            std::fill_n(to + left + shape_.width, right, 0.0f);
        }
    });
}

void StemConvolution::run(const Planes &x, const Image<float> &y, const Epilogue &epilogue,
                          float *scratch) const {
    pad(x, scratch);
    const int64_t image = shape_.channels * padded_height_ * padded_width_;
    // Called once for each row of the result: blocks of pixels must not go on into the next.
    parallel(y.batch * y.height, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const float *from = scratch + row / y.height * image +
                                row % y.height * shape_.stride[0] * padded_width_;
            Product product{from,     shape_.stride[1],  y.width,        y.at(0, row, 0),
                            y.pixel,  weights_.packed(), weights_.out(), weights_.in(),
                            epilogue, offsets_.data()};
            if (epilogue.residual != nullptr)
                product.epilogue.residual += row * y.width * epilogue.residual_pixel;
            HWY_DYNAMIC_DISPATCH(multiply_scattered)(product);
        }
    });
}

} // namespace tvw::cpu
#endif
