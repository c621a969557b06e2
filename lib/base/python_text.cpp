// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/python_text.h"

#include <array>
#include <charconv>
#include <cmath>

namespace tvw {
namespace {

template<typename Number, typename... Format>
std::string shortest(Number value, Format... format) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format...);
    return {buffer.data(), end.ptr};
}

} // namespace

std::string python_repr(bool value) {
    return value ? "True" : "False";
}

std::string python_repr(int64_t value) {
    return shortest(value);
}

/// The fewest digits that read back the same, with an exponent only below 1e-4 and from 1e16 on.
std::string python_repr(double value) {
    constexpr double kSmallest = 1e-4;
    constexpr double kLargest = 1e16;
    const double magnitude = std::abs(value);
    const bool fixed = magnitude == 0 || (magnitude >= kSmallest && magnitude < kLargest);
    if (!fixed)
        return shortest(value, std::chars_format::scientific);
    const std::string text = shortest(value, std::chars_format::fixed);
    return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string unexpected_value(std::string_view name, std::string_view expected,
                             std::string_view given) {
    std::string text = "The parameter '";
    text.append(name).append("' expected value ").append(expected).append(" but got ");
    return text.append(given).append(" instead.");
}

} // namespace tvw
