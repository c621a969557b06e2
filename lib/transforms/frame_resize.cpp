// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_resize.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tvw {
namespace {

/// Whether it pays to resize rows of `table` vertically while they are bytes: they must become far
/// fewer. Otherwise little time is gained, and labels change all the same. With too many taps 16
/// bits would leave too little of a weight.
bool pays_ahead(const ResampleTable &table) {
    constexpr int kMostTaps = 128;
    constexpr double kLeastRatio = 2.5;
    return table.taps <= kMostTaps &&
           double(table.windows.size()) * kLeastRatio <= double(table.end - table.begin);
}

} // namespace

void FrameResize::plan(Size src, const PicturePlacement &placement) {
    if (src == src_ && placement.y == rows_)
        return;
    src_ = {}; // should an allocation below fail, nothing half made is used
    ResizeTables tables = resize_tables(recipe_, src, placement);
    const auto &[x, y] = tables;
    kept_ = {int(x.begin), int(y.begin), int(x.end - x.begin), int(y.end - y.begin)};
    ahead_.reset();
    if (mode_ == PreprocessMode::kFast && pays_ahead(y)) {
        ahead_ = make_fixed_table(y);
        for (ResampleWindow &window : tables.x.windows)
            window.separate = 0; // torchvision's order is given up anyway
        for (float &weight : tables.x.weights)
            weight *= ahead_->unit();
    }
    x_ = std::move(tables.x);
    y_ = std::move(tables.y);
    taps_.resize(ahead_ ? 1 : size_t(y_.taps));
    plan_columns();
    src_ = src;
    rows_ = placement.y;
}

void FrameResize::plan_columns() {
    const size_t outputs = x_.windows.size();
    order_.resize(outputs);
    std::iota(order_.begin(), order_.end(), size_t{0});
    needed_.clear();
    const auto columns = size_t(kept_.width);
    int most = 0;
    for (size_t begin = 0; begin < outputs; begin += kOutputGroup) {
        const size_t end = std::min(begin + kOutputGroup, outputs);
        for (size_t i = begin; i < end; ++i)
            most = std::max(most, x_.windows[i].first + x_.windows[i].count);
        // Packing takes whole vectors where there are some.
        needed_.push_back(
            std::min((size_t(most) + kColumnGroup - 1) / kColumnGroup * kColumnGroup, columns));
        // Loops of one length after another are what CPUs predict.
        std::stable_sort(
            order_.begin() + long(begin), order_.begin() + long(end),
            [&](size_t a, size_t b) { return x_.windows[a].count < x_.windows[b].count; });
    }
}

void FrameResize::start(const pixel::Source &source, const Region &area,
                        const PicturePlacement &placement) {
    plan({area.height, area.width}, placement);
    blocks_.open(source, {area.x + kept_.x, area.y + kept_.y, kept_.width, kept_.height},
                 ahead_ ? &*ahead_ : nullptr);
    ready_ = 0;
    row_floats_ = channels() * x_.windows.size();
    block_.reserve(blocks_.layout().groups * blocks_.group_floats());
    ring_rows_ = (taps_.size() + 2 * blocks_.rows() - 2) / blocks_.rows() * blocks_.rows();
    ring_.resize(ring_rows_ * row_floats_);
    levels_.resize(row_floats_);
}

/// Resizes blocks of rows into the ring until it has had `count` rows.
void FrameResize::need(size_t count) {
    for (; ready_ < count; ready_ += blocks_.rows())
        read_block(ready_);
}

void FrameResize::read_block(size_t first) {
    blocks_.read(first);
    float *data = block_.data();
    const Block block = {blocks_.layout(), data, blocks_.group_floats(),
                         &ring_[first % ring_rows_ * row_floats_], row_floats_};
    const size_t outputs = x_.windows.size();
    size_t packed = 0;
    for (size_t group = 0; group < needed_.size(); ++group) {
        // Just before they are used, so that they are still in the first cache.
        if (needed_[group] > packed)
            blocks_.pack(packed, needed_[group], data);
        packed = needed_[group];
        const size_t begin = group * kOutputGroup;
        resize_horizontally(x_, begin, std::min(begin + kOutputGroup, outputs), &order_[begin],
                            block);
    }
}

const uint8_t *FrameResize::row(size_t y) {
    if (ahead_) {
        need(y + 1);
        round_levels(&ring_[y % ring_rows_ * row_floats_], row_floats_, levels_.data());
        return levels_.data();
    }
    const ResampleWindow &window = y_.windows[y];
    need(size_t(window.first) + size_t(window.count));
    for (size_t k = 0; k < size_t(window.count); ++k)
        taps_[k] = &ring_[(size_t(window.first) + k) % ring_rows_ * row_floats_];
    resize_vertically(window, &y_.weights[y * taps_.size()], taps_.data(), row_floats_,
                      levels_.data());
    return levels_.data();
}

} // namespace tvw
