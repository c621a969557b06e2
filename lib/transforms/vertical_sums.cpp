// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/vertical_sums.h"

#include <algorithm>

namespace tvw {

void VerticalSums::start(const FixedTable &table, size_t group, size_t row) {
    table_ = &table;
    group_ = group;
    row_ = row;
    kept_ = most_kept();
    oldest_ = 0;
    sums_.reserve(kept_ * row);
    zeros_.resize(row);
}

size_t VerticalSums::group_end(size_t first) const {
    return std::min(first + group_, table_->windows.size());
}

size_t VerticalSums::pairs_until(size_t first) const {
    return table_->windows[group_end(first) - 1].end;
}

size_t VerticalSums::most_kept() const {
    const auto &windows = table_->windows;
    size_t most = 0;
    for (size_t first = 0; first < windows.size(); first += group_) {
        size_t end = group_end(first);
        while (end < windows.size() && windows[end].first < pairs_until(first))
            ++end;
        most = std::max(most, end - first);
    }
    return most;
}

void VerticalSums::find_outputs(size_t pair, std::vector<PairSums> &outputs) {
    const auto &windows = table_->windows;
    while (windows[oldest_].end <= pair)
        ++oldest_;
    outputs.clear();
    for (size_t i = oldest_; i < windows.size() && windows[i].first <= pair; ++i) {
        if (windows[i].end <= pair)
            continue;
        int16_t *sums = sums_.data() + slot(i);
        const int16_t *before = pair == windows[i].first ? zeros_.data() : sums;
        outputs.push_back({sums, before, table_->weights_of(windows[i], pair)});
    }
}

const int16_t *VerticalSums::row(size_t output) const {
    return sums_.data() + slot(std::min(output, table_->windows.size() - 1));
}

} // namespace tvw
