// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/plane_resize.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tvw {

void PlaneResize::plan(ResampleTable x, ResampleTable y) {
    x_ = std::move(x);
    y_ = std::move(y);
    taps_.resize(size_t(y_.taps));
    const size_t outputs = x_.windows.size();
    order_.resize(outputs);
    std::iota(order_.begin(), order_.end(), size_t{0});
    needed_.clear();
    const auto columns = size_t(x_.end - x_.begin);
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

Region PlaneResize::area(int x, int y) const {
    return {x + int(x_.begin), y + int(y_.begin), int(x_.end - x_.begin), int(y_.end - y_.begin)};
}

void PlaneResize::start(FrameBlocks &blocks) {
    blocks_ = &blocks;
    ready_ = 0;
    row_floats_ = blocks.layout().channels * x_.windows.size();
    block_.resize(blocks.layout().groups * blocks.group_floats());
    ring_rows_ = (taps_.size() + 2 * blocks.rows() - 2) / blocks.rows() * blocks.rows();
    ring_.resize(ring_rows_ * row_floats_);
}

/// Resizes the block of rows from `first` into the ring.
void PlaneResize::read_block(size_t first) {
    blocks_->read(int(first));
    const Block block = {blocks_->layout(), block_.data(), blocks_->group_floats(),
                         &ring_[first % ring_rows_ * row_floats_], row_floats_};
    const size_t outputs = x_.windows.size();
    size_t packed = 0;
    for (size_t group = 0; group < needed_.size(); ++group) {
        // Just before they are used, so that they are still in the first cache.
        if (needed_[group] > packed)
            blocks_->pack(packed, needed_[group], block_.data());
        packed = needed_[group];
        const size_t begin = group * kOutputGroup;
        resize_horizontally(x_, begin, std::min(begin + kOutputGroup, outputs), &order_[begin],
                            block);
    }
}

template<typename T>
void PlaneResize::row(size_t y, T *dst) {
    const ResampleWindow &window = y_.windows[y];
    for (; ready_ < size_t(window.first) + size_t(window.count); ready_ += blocks_->rows())
        read_block(ready_);
    for (size_t k = 0; k < size_t(window.count); ++k)
        taps_[k] = &ring_[(size_t(window.first) + k) % ring_rows_ * row_floats_];
    resize_vertically(window, &y_.weights[y * taps_.size()], taps_.data(), row_floats_, dst);
}

template void PlaneResize::row(size_t y, uint8_t *dst);
template void PlaneResize::row(size_t y, float *dst);

} // namespace tvw
