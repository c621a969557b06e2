// SPDX-License-Identifier: LGPL-2.1-or-later
// Arithmetic on one pixel, free of any host library so that every backend compiles the same code.
#pragma once

#include <cstdint>

namespace tvw::pixel {

struct Rgb {
    uint8_t r, g, b;
};

/// From 8-bit Y'CbCr to R'G'B', in units of 2^-16.
struct YuvCoefficients {
    int32_t y_offset;
    int32_t y;
    int32_t r_v;
    int32_t g_u;
    int32_t g_v;
    int32_t b_u;
};

/// Rounds to the nearest level (half up) and keeps it within 8 bits.
inline uint8_t level_of_fixed(int32_t value) {
    const int32_t level = (value + 0x8000) >> 16;
    return uint8_t(level < 0 ? 0 : level > 255 ? 255 : level);
}

inline Rgb yuv_to_rgb(const YuvCoefficients &k, int32_t y, int32_t u, int32_t v) {
    const int32_t luma = (y - k.y_offset) * k.y;
    return {level_of_fixed(luma + k.r_v * (v - 128)),
            level_of_fixed(luma - k.g_u * (u - 128) - k.g_v * (v - 128)),
            level_of_fixed(luma + k.b_u * (u - 128))};
}

/// Rounds half to even and keeps the level within 8 bits, as clamp, round and a cast do.
inline uint8_t level_of(float value) {
    // Adding 1.5 * 2^23 leaves no bits for a fraction; the sum's rounding is the one wanted.
    constexpr float kNoFraction = 12582912.0F;
    const float clamped = value < 0.0F ? 0.0F : value > 255.0F ? 255.0F : value;
    return uint8_t(int32_t((clamped + kNoFraction) - kNoFraction));
}

/// A level as the model sees it. Two divisions: torchvision's order decides the last bit.
inline float normalized(uint8_t level, float mean, float std) {
    return (float(level) / 255.0F - mean) / std;
}

} // namespace tvw::pixel
