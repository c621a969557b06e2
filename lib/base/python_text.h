// SPDX-License-Identifier: LGPL-2.1-or-later
// Values as Python's repr() writes them.
#pragma once

#include <tvw/export.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tvw {

std::string python_repr(bool value);
std::string python_repr(int64_t value);
std::string python_repr(double value);

template<typename T>
std::string python_repr(const std::vector<T> &values) {
    std::string text;
    for (const T &value : values)
        text += (text.empty() ? "" : ", ") + python_repr(value);
    return "[" + text + "]";
}

template<typename T>
std::string python_repr(const std::optional<T> &value) {
    return value ? python_repr(*value) : "None";
}

/// torchvision's complaint of an argument that has only one right value.
TVW_API std::string unexpected_value(std::string_view name, std::string_view expected,
                                     std::string_view given);

} // namespace tvw
