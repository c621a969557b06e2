// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/nearest.h"

#include "base/text.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace tvw {
namespace {

/// Levenshtein distance.
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 0; i < a.size(); ++i) {
        size_t diagonal = row[0]++;
        for (size_t j = 0; j < b.size(); ++j) {
            const size_t above = row[j + 1];
            row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row.back();
}

} // namespace

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
    constexpr size_t kLongest = 64;
    const std::string_view wanted = name.substr(0, kLongest);
    const std::string *best = nullptr;
    size_t best_distance = std::max<size_t>(2, wanted.size() / 3) + 1;
    for (const std::string &candidate : candidates) {
        const size_t distance =
            edit_distance(wanted, std::string_view(candidate).substr(0, kLongest));
        if (distance < best_distance) {
            best = &candidate;
            best_distance = distance;
        }
    }
    return best != nullptr ? " (did you mean " + in_quotes(*best) + "?)" : "";
}

} // namespace tvw
