// SPDX-License-Identifier: LGPL-2.1-or-later
// Tables for terminals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tvw::cli {

/// As many columns as a terminal shows; "×" is two bytes and one of them.
size_t columns(std::string_view text);

/// With spaces behind, so that it takes `width` columns.
std::string padded(std::string_view text, size_t width);

/// A line for each row, whose cells begin at the same columns in all lines; two spaces lie behind
/// each cell.
std::vector<std::string> table_lines(const std::vector<std::vector<std::string>> &rows);

} // namespace tvw::cli
