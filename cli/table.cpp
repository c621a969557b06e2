// SPDX-License-Identifier: LGPL-2.1-or-later
#include "table.h"

#include <algorithm>

namespace tvw::cli {

size_t columns(std::string_view text) {
    return size_t(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(std::string_view text, size_t width) {
    return std::string(text) + std::string(width - std::min(width, columns(text)), ' ');
}

std::vector<std::string> table_lines(const std::vector<std::vector<std::string>> &rows) {
    std::vector<size_t> widths;
    for (const auto &row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], columns(row[i]));
    }
    std::vector<std::string> lines;
    for (const auto &row : rows) {
        std::string &line = lines.emplace_back();
        for (size_t i = 0; i < row.size(); ++i)
            line += padded(row[i], widths[i]) + "  ";
    }
    return lines;
}

} // namespace tvw::cli
