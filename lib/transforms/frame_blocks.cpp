// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_blocks.h"

#include <algorithm>

namespace tvw {
namespace {

/// `count` sums with a gap behind them: strands must not lie near a multiple of 4096 bytes apart,
/// since CPUs take a store to one of them for the place that is loaded next from another.
size_t spread(size_t count) {
    constexpr size_t kPeriod = 4096 / sizeof(int16_t);
    constexpr size_t kApart = 224; // far enough for the nine strands of three outputs
    return count + (kPeriod + kApart - count % kPeriod) % kPeriod;
}

} // namespace

void FrameBlocks::open(const pixel::Source &source, const Region &area,
                       const FixedTable *vertical) {
    area_ = area;
    sums_up_ = vertical != nullptr;
    paired_ = sums_up_ && YuvRows::has_pairs(source);
    // Of one channel more rows, so that the loops have as much to do between their ends.
    layout_.groups = source.model == pixel::ColorModel::kGray ? kBlockVectors : 1;
    if (paired_)
        yuv_.open(source, area);
    else
        rows_.open(source, area, sums_up_ ? 2 * kPairsAtOnce : rows());

    row_ = paired_ ? RowLayout() : rows_.layout();
    layout_.pixel = row_.strands * row_.step * kBlockRows;
    layout_.channels = row_.channels;
    for (size_t c = 0; c < row_.channels; ++c)
        layout_.first[c] = (row_.strand_of(c) + row_.offset[c]) * kBlockRows;

    block_rows_.resize(rows());
    if (vertical)
        open_sums(*vertical);
}

void FrameBlocks::open_sums(const FixedTable &vertical) {
    strand_sums_ = spread(paired_ ? yuv_.row_size() : row_.bytes(size_t(area_.width)));
    sums_.start(vertical, rows(), row_.strands * strand_sums_);
    block_sums_.resize(rows());
    next_pair_ = 0;
}

void FrameBlocks::read(size_t first) {
    if (sums_up_) {
        read_sums(first);
        return;
    }
    const auto last = size_t(area_.height) - 1;
    for (size_t r = 0; r < rows(); ++r)
        block_rows_[r] = rows_.read(int(std::min(first + r, last)));
}

void FrameBlocks::read_sums(size_t first) {
    const size_t until = sums_.pairs_until(first);
    while (next_pair_ < until) {
        const size_t begin = next_pair_;
        next_pair_ = std::min(begin + kPairsAtOnce, until);
        add_pairs(begin, next_pair_);
    }
    for (size_t r = 0; r < rows(); ++r)
        block_sums_[r] = sums_.row(first + r);
}

void FrameBlocks::add_pairs(size_t begin, size_t end) {
    for (size_t pair = begin; pair < end; ++pair)
        read_pair(pair, 2 * (pair - begin), additions_[pair - begin]);
    const size_t columns = paired_ ? yuv_.columns() : row_.bytes(size_t(area_.width));
    for (size_t column = 0; column < columns; column += kStrip) {
        const size_t count = std::min(kStrip, columns - column);
        for (size_t pair = begin; pair < end; ++pair) {
            if (paired_)
                prefetch(pair + kPairsAtOnce, column, count);
            add_strip(additions_[pair - begin], column, count);
        }
    }
}

/// A pair of rows, if any output needs it.
void FrameBlocks::read_pair(size_t pair, size_t slot, Addition &addition) {
    sums_.find_outputs(pair, addition.outputs);
    if (addition.outputs.empty())
        return;
    for (size_t i = 0; i < 2; ++i) {
        // The row below the last one has no weight.
        const int y = std::min(int(2 * pair + i), area_.height - 1);
        if (paired_)
            addition.paired_rows[i] = yuv_.read(area_.y + y, slot + i);
        else
            addition.rows[i] = rows_.read(y);
    }
}

/// What add_strip is going to need.
void FrameBlocks::prefetch(size_t pair, size_t begin, size_t count) const {
    const int end = std::min(int(2 * pair + 2), area_.height);
    for (int y = int(2 * pair); y < end; ++y)
        yuv_.prefetch(area_.y + y, begin, count);
}

void FrameBlocks::add_strip(const Addition &addition, size_t begin, size_t count) const {
    if (addition.outputs.empty())
        return;
    if (paired_) {
        yuv_.add(addition.paired_rows, begin, count, addition.outputs, strand_sums_);
        return;
    }
    const auto &[first, second] = addition.rows;
    for (size_t strand = 0; strand < row_.strands; ++strand)
        add_rows({first[strand] + begin, second[strand] + begin}, count, addition.outputs,
                 strand * strand_sums_ + begin);
}

void FrameBlocks::pack_rows(const Piece &piece, float *dst) const {
    std::array<const uint8_t *, kBlockRows> rows{};
    for (size_t r = 0; r < kBlockRows; ++r)
        rows[r] = block_rows_[piece.group * kBlockRows + r][piece.strand] + piece.begin;
    pack_bytes(rows, piece.count, row_.strands * kBlockRows, dst);
}

void FrameBlocks::pack_sums_of(const Piece &piece, float *dst) const {
    const size_t before = paired_ ? size_t(yuv_.before()) : 0;
    const size_t begin = piece.strand * strand_sums_ + before + piece.begin;
    std::array<const int16_t *, kBlockRows> rows{};
    for (size_t r = 0; r < kBlockRows; ++r)
        rows[r] = block_sums_[piece.group * kBlockRows + r] + begin;
    pack_sums(rows, piece.count, row_.strands * kBlockRows, dst);
}

void FrameBlocks::pack(size_t begin, size_t end, float *block) const {
    for (size_t group = 0; group < layout_.groups; ++group) {
        for (size_t strand = 0; strand < row_.strands; ++strand) {
            float *dst =
                block + group * group_floats() + begin * layout_.pixel + strand * kBlockRows;
            const Piece piece = {group, strand, begin * row_.step, row_.bytes(end - begin)};
            if (sums_up_)
                pack_sums_of(piece, dst);
            else
                pack_rows(piece, dst);
        }
    }
}

} // namespace tvw
