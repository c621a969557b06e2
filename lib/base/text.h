// SPDX-License-Identifier: LGPL-2.1-or-later
// Text that strangers wrote: bounded reading, and what may be shown to people.
#pragma once

#include <tvw/export.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace tvw {

/// The content of a regular file of at most `limit` bytes.
/// Errors: kNotFound, kIo, and kInvalidArgument for a longer file or one that is not regular.
TVW_API std::string read_text_file(const std::filesystem::path &path, size_t limit);

/// Without what follows the first line feed: others' exceptions carry stacks.
TVW_API std::string first_line(std::string_view text);

TVW_API bool is_utf8(std::string_view text);

/// UTF-8 without control characters.
TVW_API bool is_printable(std::string_view text);

/// `text` for a message: at most its first 80 bytes, with \xNN for what is not printable.
TVW_API std::string shown(std::string_view text);
/// The same in single quotes.
TVW_API std::string in_quotes(std::string_view text);

} // namespace tvw
