// SPDX-License-Identifier: LGPL-2.1-or-later
// Lays out the patches that pixels of a convolution's result see, each in a row.
//
// Included once for each of Highway's targets.
#if defined(TVW_CPU_PATCHES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TVW_CPU_PATCHES_INL_H
#undef TVW_CPU_PATCHES_INL_H
#else
#define TVW_CPU_PATCHES_INL_H
#endif

#include "backends/cpu/kernels/convolution.h"
#include "backends/cpu/kernels/image.h"

#include "backends/cpu/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

// Whole vectors are stored: what lies behind is written later, or is not looked at.
HWY_INLINE void copy_run(const float *from, float *to, int64_t count) {
    const hn::ScalableTag<float> d;
    constexpr auto lanes = int64_t(hn::MaxLanes(hn::ScalableTag<float>()));
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
        hn::StoreU(hn::LoadU(d, from + i), d, to + i);
    if (i < count)
        hn::StoreU(load_first(d, count - i, from + i), d, to + i);
}

// Of these, whole vectors are read, too.
HWY_INLINE void copy_run(const uint16_t *from, uint16_t *to, int64_t count) {
    const hn::ScalableTag<uint16_t> d;
    for (int64_t i = 0; i < count; i += int64_t(hn::MaxLanes(d)))
        hn::StoreU(hn::LoadU(d, from + i), d, to + i);
}

template<typename Element>
HWY_INLINE void clear_run(Element *to, int64_t count) {
    const hn::ScalableTag<Element> d;
    for (int64_t i = 0; i < count; i += int64_t(hn::MaxLanes(d)))
        hn::StoreU(hn::Zero(d), d, to + i);
}

/// Lays out what pixels see of a group's channels.
template<typename Element>
class Patches {
public:
    Patches(const Convolution::Shape &shape, const Image<const Element> &x, int64_t group)
        : s_(shape),
          x_(x),
          width_(shape.out_width()),
          height_(shape.out_height()),
          channels_(shape.in_channels / shape.groups),
          first_channel_(group * channels_),
          // Neighbours of a row lie side by side: one run.
          dense_(x.pixel == channels_ && shape.dilation[1] == 1) {}

    /// Those of pixels [begin, end) of the result, `row` elements apart.
    void lay_out(int64_t begin, int64_t end, Element *to, int64_t row) const {
        for (int64_t pixel = begin; pixel < end; ++pixel, to += row)
            lay_out_patch(pixel / (height_ * width_), pixel / width_ % height_, pixel % width_, to);
    }

private:
    void lay_out_patch(int64_t n, int64_t oy, int64_t ox, Element *to) const {
        const int64_t top = oy * s_.stride[0] - s_.padding[0];
        const int64_t left = ox * s_.stride[1] - s_.padding[1];
        for (int64_t i = 0; i < s_.kernel[0]; ++i, to += s_.kernel[1] * channels_) {
            const int64_t y = top + i * s_.dilation[0];
            if (y < 0 || y >= s_.height)
                clear_run(to, s_.kernel[1] * channels_);
            else
                lay_out_line(x_.at(n, y, 0) + first_channel_, left, to);
        }
    }

    HWY_INLINE void lay_out_line(const Element *line, int64_t left, Element *to) const {
        const int64_t end = left + s_.kernel[1];
        if (dense_ && left >= 0 && end <= s_.width)
            return copy_run(line + left * channels_, to, s_.kernel[1] * channels_);
        for (int64_t j = 0; j < s_.kernel[1]; ++j, to += channels_) {
            const int64_t x = left + j * s_.dilation[1];
            if (x < 0 || x >= s_.width)
                clear_run(to, channels_);
            else
                copy_run(line + x * x_.pixel, to, channels_);
        }
    }

    const Convolution::Shape &s_;
    const Image<const Element> &x_;
    int64_t width_;
    int64_t height_;
    int64_t channels_;
    int64_t first_channel_;
    bool dense_;
};

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#endif
