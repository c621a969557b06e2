// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/plane_resize.h"

#include <algorithm>
#include <utility>

namespace tvw {
namespace {

/// Outputs for which columns are packed at a time: few enough that these stay in the first cache.
constexpr size_t kGroup = 16;

} // namespace

void PlaneResize::plan(ResampleTable x, ResampleTable y) {
    x_ = std::move(x);
    y_ = std::move(y);
    const auto taps = size_t(y_.taps);
    ring_rows_ = (taps + 2 * kBlockRows - 2) / kBlockRows * kBlockRows;
    taps_.resize(taps);
    needed_.clear();
    int most = 0;
    for (size_t i = 0; i < x_.windows.size(); ++i) {
        most = std::max(most, x_.windows[i].first + x_.windows[i].count);
        if (i % kGroup == kGroup - 1 || i + 1 == x_.windows.size())
            needed_.push_back(size_t(most));
    }
}

Region PlaneResize::area(int x, int y) const {
    return {x + int(x_.begin), y + int(y_.begin), int(x_.end - x_.begin), int(y_.end - y_.begin)};
}

void PlaneResize::start(FrameBlocks &blocks) {
    blocks_ = &blocks;
    ready_ = 0;
    row_floats_ = blocks.layout().channels * x_.windows.size();
    block_.resize(size_t(x_.end - x_.begin) * blocks.layout().pixel);
    ring_.resize(ring_rows_ * row_floats_);
}

/// Resizes the block of rows from `first` into the ring.
void PlaneResize::read_block(size_t first) {
    blocks_->read(int(first));
    float *dst = &ring_[first % ring_rows_ * row_floats_];
    const size_t outputs = x_.windows.size();
    size_t packed = 0;
    for (size_t group = 0; group < needed_.size(); ++group) {
        if (needed_[group] > packed)
            blocks_->pack(packed, needed_[group], block_.data());
        packed = needed_[group];
        resize_horizontally(x_, group * kGroup, std::min((group + 1) * kGroup, outputs),
                            blocks_->layout(), block_.data(), dst, row_floats_);
    }
}

template<typename T>
void PlaneResize::row(size_t y, T *dst) {
    const ResampleWindow &window = y_.windows[y];
    for (; ready_ < size_t(window.first + window.count); ready_ += kBlockRows)
        read_block(ready_);
    for (size_t k = 0; k < size_t(window.count); ++k)
        taps_[k] = &ring_[(size_t(window.first) + k) % ring_rows_ * row_floats_];
    resize_vertically(window, &y_.weights[y * taps_.size()], taps_.data(), row_floats_, dst);
}

template void PlaneResize::row(size_t y, uint8_t *dst);
template void PlaneResize::row(size_t y, float *dst);

} // namespace tvw
