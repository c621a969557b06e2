// SPDX-License-Identifier: LGPL-2.1-or-later
// 16-bit floating-point formats without hardware support: IEEE 754 binary16, bfloat16.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tvw {

inline float bfloat16_to_float(uint16_t bits) {
    return std::bit_cast<float>(uint32_t{bits} << 16);
}

inline float half_to_float(uint16_t bits) {
    const int exponent = bits >> 10 & 0x1f;
    const int fraction = bits & 0x3ff;
    float magnitude = 0;
    if (exponent == 0)
        magnitude = std::ldexp(float(fraction), -24);
    else if (exponent == 0x1f)
        magnitude = fraction != 0 ? std::numeric_limits<float>::quiet_NaN()
                                  : std::numeric_limits<float>::infinity();
    else
        magnitude = std::ldexp(float(fraction + 0x400), exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// The nearest; of two the even one.
inline uint16_t float_to_bfloat16(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    if (std::isnan(value))
        return uint16_t(bits >> 16 | 0x40);
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The nearest; of two the even one.
inline uint16_t float_to_half(float value) {
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const float magnitude = std::fabs(value);
    if (std::isnan(value))
        return sign | 0x7e00;
    if (magnitude >= 65520.0F) // what is nearer to 2^16 than to the largest half
        return sign | 0x7c00;
    int exponent = 0;
    std::frexp(magnitude, &exponent);
    // A half counts units of 2^-24 or, with eleven bits, larger ones.
    const int unit = magnitude == 0.0F ? -24 : std::max(exponent - 11, -24);
    const auto units = int(std::nearbyint(std::ldexp(magnitude, -unit)));
    return uint16_t(sign | ((unit + 24) * 1024 + units));
}

} // namespace tvw
