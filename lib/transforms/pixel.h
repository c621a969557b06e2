// SPDX-License-Identifier: LGPL-2.1-or-later
// Arithmetic on one pixel, free of any host library so that every backend compiles the same code:
// the one definition of what RGB a pixel of a frame is. Faster loops give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define TVW_HOST_DEVICE __host__ __device__
#else
#define TVW_HOST_DEVICE
#endif

namespace tvw::pixel {

struct Rgb {
    uint8_t r, g, b;
};

/// From Y'CbCr to R'G'B'. Coefficients give levels in units of 2^-kFraction, of a luma sample or of
/// a sixteenth of a chroma sample: no sum leaves 32 bits.
struct YuvCoefficients {
    static constexpr int kFraction = 21;
    int32_t y_offset;
    int32_t chroma_offset; ///< in sixteenths
    int32_t y;
    int32_t r_v;
    int32_t g_u;
    int32_t g_v;
    int32_t b_u;
};

/// How a sample lies in memory.
enum class SampleKind : uint8_t {
    kByte,
    kHigh10, ///< the upper ten bits of two bytes, little endian
    kLow10,  ///< the lower ten
};

enum class ColorModel : uint8_t { kRgb, kYuv, kGray };

/// How chroma samples stand to luma along one axis.
enum class ChromaAxis : uint8_t { kFull, kCentered, kCosited };

/// One component of a frame: sample (x, y) begins at data + y * stride + x * step.
struct Component {
    const uint8_t *data;
    ptrdiff_t stride;
    int step;
};

/// A frame as its pixels are computed from it; may be handed to a device by value.
struct Source {
    int width;
    int height;
    ColorModel model;
    SampleKind sample;
    ChromaAxis horizontal;
    ChromaAxis vertical;
    Component component[3]; ///< R, G, B, or Y', Cb, Cr; of kGray the first
    YuvCoefficients yuv;
};

/// The two chroma samples next to a luma sample along one axis, weighted in quarters.
struct ChromaTaps {
    int first;
    int second;
    int first_weight; ///< the second's is 4 less this
};

TVW_HOST_DEVICE inline ChromaTaps chroma_taps(ChromaAxis axis, int position, int luma_count) {
    if (axis == ChromaAxis::kFull)
        return {position, position, 4};
    const int last = (luma_count + 1) / 2 - 1;
    const int shared = position / 2;
    const int after = shared < last ? shared + 1 : last;
    const int before = shared > 0 ? shared - 1 : 0;
    const bool odd = position % 2 != 0;
    if (axis == ChromaAxis::kCosited)
        return {shared, odd ? after : shared, odd ? 2 : 4};
    return odd ? ChromaTaps{shared, after, 3} : ChromaTaps{before, shared, 1};
}

TVW_HOST_DEVICE inline int32_t sample_at(SampleKind kind, const Component &component, int x,
                                         int y) {
    const uint8_t *p = component.data + y * component.stride + ptrdiff_t(x) * component.step;
    switch (kind) {
    case SampleKind::kByte:
        return p[0];
    case SampleKind::kHigh10:
        return (p[0] | p[1] << 8) >> 6;
    case SampleKind::kLow10:
        return (p[0] | p[1] << 8) & 1023;
    }
    return 0;
}

/// A chroma sample in sixteenths.
TVW_HOST_DEVICE inline int32_t chroma_at(SampleKind kind, const Component &component,
                                         const ChromaTaps &x, const ChromaTaps &y) {
    const auto row = [&](int at) {
        return x.first_weight * sample_at(kind, component, x.first, at) +
               (4 - x.first_weight) * sample_at(kind, component, x.second, at);
    };
    return y.first_weight * row(y.first) + (4 - y.first_weight) * row(y.second);
}

/// Rounds to the nearest level (half up) and keeps it within 8 bits.
TVW_HOST_DEVICE inline uint8_t level_of_fixed(int32_t value) {
    constexpr int32_t kHalf = int32_t{1} << (YuvCoefficients::kFraction - 1);
    const int32_t level = (value + kHalf) >> YuvCoefficients::kFraction;
    return uint8_t(level < 0 ? 0 : level > 255 ? 255 : level);
}

/// `u` and `v` in sixteenths.
TVW_HOST_DEVICE inline Rgb yuv_to_rgb(const YuvCoefficients &k, int32_t y, int32_t u, int32_t v) {
    const int32_t luma = (y - k.y_offset) * k.y;
    u -= k.chroma_offset;
    v -= k.chroma_offset;
    return {level_of_fixed(luma + k.r_v * v), level_of_fixed(luma - k.g_u * u - k.g_v * v),
            level_of_fixed(luma + k.b_u * u)};
}

/// The pixel in column `x` of row `y`.
TVW_HOST_DEVICE inline Rgb rgb_at(const Source &src, int x, int y) {
    const auto sample = [&](int c) { return sample_at(src.sample, src.component[c], x, y); };
    if (src.model == ColorModel::kRgb)
        return {uint8_t(sample(0)), uint8_t(sample(1)), uint8_t(sample(2))};
    if (src.model == ColorModel::kGray) {
        const uint8_t level = level_of_fixed((sample(0) - src.yuv.y_offset) * src.yuv.y);
        return {level, level, level};
    }
    const ChromaTaps column = chroma_taps(src.horizontal, x, src.width);
    const ChromaTaps row = chroma_taps(src.vertical, y, src.height);
    return yuv_to_rgb(src.yuv, sample(0), chroma_at(src.sample, src.component[1], column, row),
                      chroma_at(src.sample, src.component[2], column, row));
}

/// Rounds half to even and keeps the level within 8 bits, as clamp, round and a cast do.
TVW_HOST_DEVICE inline uint8_t level_of(float value) {
    // Adding 1.5 * 2^23 leaves no bits for a fraction; the sum's rounding is the one wanted.
    constexpr float kNoFraction = 12582912.0F;
    const float clamped = value < 0.0F ? 0.0F : value > 255.0F ? 255.0F : value;
    return uint8_t(int32_t((clamped + kNoFraction) - kNoFraction));
}

/// A level as the model sees it. Two divisions: torchvision's order decides the last bit.
TVW_HOST_DEVICE inline float normalized(uint8_t level, float mean, float std) {
    return (float(level) / 255.0F - mean) / std;
}

} // namespace tvw::pixel
