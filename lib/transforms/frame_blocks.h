// SPDX-License-Identifier: LGPL-2.1-or-later
// Rows of a frame in blocks, the way the horizontal pass wants them.
#pragma once

#include "transforms/frame_rows.h"
#include "transforms/resample_table.h"
#include "transforms/row_kernels.h"
#include "transforms/vertical_sums.h"
#include "transforms/yuv_rows.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tvw {

/// Blocks of the rows of a rectangle of a frame, or of those that a table makes of them.
class FrameBlocks {
public:
    /// `vertical` counts rows of `area` and must stay; none leaves the rows as they are.
    void open(const pixel::Source &source, const Region &area, const FixedTable *vertical);

    const BlockLayout &layout() const { return layout_; }
    /// Rows of a block.
    size_t rows() const { return layout_.groups * kBlockRows; }
    /// Floats of a block for each group.
    size_t group_floats() const { return size_t(area_.width) * layout_.pixel; }

    /// Makes the rows from `first` ready. Below the last row it stands in for those that do not
    /// exist. To be called for one block after another.
    void read(size_t first);

    /// Columns [begin, end) of these rows, into a block of all columns: group after group. `begin`
    /// is a multiple of kColumnGroup.
    void pack(size_t begin, size_t end, float *block) const;

private:
    /// Some columns of a strand of the rows of a group.
    struct Piece {
        size_t group;
        size_t strand;
        size_t begin; ///< bytes, or sums
        size_t count;
    };
    /// A pair of rows and where it is added.
    struct Addition {
        std::array<RowStrands, 2> rows;
        std::array<PairedRow, 2> paired_rows;
        std::vector<PairSums> outputs;
    };
    // Pairs are added in strips, whose sums stay in the first cache from pair to pair.
    static constexpr size_t kPairsAtOnce = YuvRows::kSlots / 2;
    static constexpr size_t kStrip = 480;

    void open_sums(const FixedTable &vertical);
    void read_sums(size_t first);
    void add_pairs(size_t begin, size_t end);
    void read_pair(size_t pair, size_t slot, Addition &addition);
    void prefetch(size_t pair, size_t begin, size_t count) const;
    void add_strip(const Addition &addition, size_t begin, size_t count) const;
    void pack_rows(const Piece &piece, float *dst) const;
    void pack_sums_of(const Piece &piece, float *dst) const;

    Region area_;
    RowLayout row_;
    BlockLayout layout_;
    FrameRows rows_;
    std::vector<RowStrands> block_rows_;

    bool sums_up_ = false; ///< then in place of the rows of the block:
    bool paired_ = false;  ///< rows are those of `yuv_`
    YuvRows yuv_;
    VerticalSums sums_;
    size_t strand_sums_ = 0; ///< from one strand of an output to the next
    size_t next_pair_ = 0;   ///< of rows, to be added
    std::array<Addition, kPairsAtOnce> additions_;
    std::vector<const int16_t *> block_sums_;
};

} // namespace tvw
