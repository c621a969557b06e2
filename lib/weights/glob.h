// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace tvw {

/// Python's fnmatch.fnmatchcase on bytes: *, ?, [seq], [!seq]. The C library's fnmatch differs:
/// it gives meaning to backslashes, [^seq] and [:classes:], and follows the locale.
bool glob_match(std::string_view pattern, std::string_view text);

} // namespace tvw
