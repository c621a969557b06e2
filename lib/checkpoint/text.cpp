// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/text.h"

#include <fmt/format.h>

#include <cstdint>

namespace tvw {
namespace {

/// Bytes of the UTF-8 character at the front of `text`; 0 if there is no valid one.
size_t utf8_length(std::string_view text) {
    const auto byte = [&](size_t i) { return uint8_t(text[i]); };
    if (text.empty())
        return 0;
    if (byte(0) < 0x80)
        return 1;
    const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
    if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length)
        return 0;
    uint32_t code = byte(0) & (0x7fU >> length);
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte(i) & 0x3fU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return overlong || surrogate || code > 0x10ffff ? 0 : length;
}

} // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const size_t length = utf8_length(text);
        if (length == 0)
            return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string in_quotes(std::string_view text) {
    constexpr size_t kLongest = 80;
    std::string result = "'";
    while (!text.empty()) {
        if (result.size() > kLongest)
            return result + "…'";
        const size_t length = utf8_length(text);
        // C1 controls are two bytes in UTF-8, and terminals obey them too.
        const bool control =
            length == 1 ? uint8_t(text[0]) < 0x20 || text[0] == 0x7f
                        : length == 2 && uint8_t(text[0]) == 0xc2 && uint8_t(text[1]) < 0xa0;
        if (length == 0 || control) {
            result += fmt::format("\\x{:02x}", uint8_t(text[0]));
            text.remove_prefix(1);
            continue;
        }
        result += text.substr(0, length);
        text.remove_prefix(length);
    }
    return result + '\'';
}

} // namespace tvw
