// SPDX-License-Identifier: LGPL-2.1-or-later
// Packed matrix products. Panels of weights stay in the first-level cache while the rows of a chunk
// pass by; bias, residual and activation are applied before results leave the registers or that
// cache. Up to three rows are bound by reading the weights, which then are streamed.
#include "base/simd.h"

#include "backends/cpu/kernels/gemm.h"

#include "backends/cpu/parallel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

void multiply_all(const Product &p) {
    const Tasks<> tasks(p);
    parallel(tasks.count(), [&](int64_t begin, int64_t end) { tasks.run(begin, end); });
}

int64_t two_vectors() {
    return panels_of(2 * kLanes);
}

// to[i] = from[i] · scale[i]
void scale_row(const float *from, const float *scale, float *to, int64_t count) {
    const FloatTag d;
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        hn::StoreU(hn::Mul(hn::LoadU(d, from + i), hn::LoadU(d, scale + i)), d, to + i);
    for (; i < count; ++i)
        to[i] = from[i] * scale[i];
}

// to[k][0, kPanel) = from[k][0, kPanel) · scale[k]
void scale_panel(const float *from, const float *scale, float *to, int64_t depth) {
    const FloatTag d;
    for (int64_t k = 0; k < depth; ++k) {
        const FloatVector factor = hn::Set(d, scale[k]);
        for (int64_t i = 0; i < kPanel; i += kLanes)
            hn::Store(hn::Mul(hn::Load(d, from + k * kPanel + i), factor), d, to + k * kPanel + i);
    }
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(multiply_all);
HWY_EXPORT(two_vectors);
HWY_EXPORT(scale_row);
HWY_EXPORT(scale_panel);

void multiply(const Product &product) {
    HWY_DYNAMIC_DISPATCH(multiply_all)(product);
}

int64_t panels_of_two_vectors() {
    return HWY_DYNAMIC_DISPATCH(two_vectors)();
}

void pack_panels(const float *b, int64_t out, int64_t out_stride, int64_t in, int64_t in_stride,
                 float *packed) {
    for (int64_t o = 0; o < out; ++o) {
        float *column = packed + o / kPanel * in * kPanel + o % kPanel;
        for (int64_t k = 0; k < in; ++k)
            column[k * kPanel] = b[k * in_stride + o * out_stride];
    }
}

SharedFloats pack_filters(const float *weight, int64_t out, int64_t groups, int64_t taps,
                          int64_t planes, int64_t plane_channels) {
    const int64_t columns = out / groups;
    const int64_t patch = planes * taps * plane_channels;
    const int64_t panels = panels_of(columns);
    const auto packed = aligned_floats(size_t(groups * panels * patch * kPanel));
    for (int64_t o = 0; o < out; ++o, weight += patch) {
        const int64_t panel = o / columns * panels + o % columns / kPanel;
        float *to = packed.get() + panel * patch * kPanel + o % columns % kPanel;
        for (int64_t plane = 0; plane < planes; ++plane)
            for (int64_t tap = 0; tap < taps; ++tap)
                for (int64_t c = 0; c < plane_channels; ++c, to += kPanel)
                    *to = weight[(plane * plane_channels + c) * taps + tap];
    }
    return packed;
}

PackedGemm::PackedGemm(const float *weight, int64_t out, int64_t in) : out_(out), in_(in) {
    const auto packed = aligned_floats(size_t(panels_of(out) * in * kPanel));
    pack_panels(weight, out, in, in, 1, packed.get());
    packed_ = packed;
}

bool PackedGemm::scales_weights(int64_t rows) const {
    return panels_of(out_) * kPanel < rows;
}

size_t PackedGemm::scratch_floats(int64_t rows) const {
    return size_t(std::min(panels_of(out_) * kPanel, rows) * in_);
}

void PackedGemm::run(const float *x, int64_t x_stride, int64_t rows, float *y, int64_t y_stride,
                     const Epilogue &epilogue, const float *x_scale, float *scratch) const {
    Product product{x, x_stride, rows, y, y_stride, packed_.get(), out_, in_, epilogue};
    if (x_scale != nullptr && scales_weights(rows)) {
        parallel(panels_of(out_), [&](int64_t begin, int64_t end) {
            for (int64_t panel = begin; panel < end; ++panel) {
                const int64_t at = panel * in_ * kPanel;
                HWY_DYNAMIC_DISPATCH(scale_panel)(&packed_[at], x_scale, scratch + at, in_);
            }
        });
        product.packed = scratch;
    } else if (x_scale != nullptr) {
        parallel(rows, [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row)
                HWY_DYNAMIC_DISPATCH(scale_row)
            (x + row * x_stride, x_scale, scratch + row * in_, in_);
        });
        product.x = scratch;
        product.x_stride = in_;
    }
    multiply(product);
}

} // namespace tvw::cpu
#endif
