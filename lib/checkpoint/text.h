// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace tvw {

/// Strict UTF-8: no overlong forms, surrogates or values past U+10FFFF.
bool is_utf8(std::string_view text);

/// Text from a file, fit for a message: in single quotes, control characters and bytes that are
/// not UTF-8 escaped, shortened to some 80 characters.
std::string in_quotes(std::string_view text);

} // namespace tvw
