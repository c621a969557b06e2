// SPDX-License-Identifier: LGPL-2.1-or-later
// 16-bit floating-point formats to float32 without hardware support: IEEE 754 binary16, bfloat16.
#pragma once

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

} // namespace tvw
