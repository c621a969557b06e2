// SPDX-License-Identifier: LGPL-2.1-or-later
// The two passes of a separable resize, row by row, over some channels of a frame.
#pragma once

#include "transforms/frame_blocks.h"
#include "transforms/resample_table.h"

#include <cstdint>
#include <vector>

namespace tvw {

/// Resizes what a FrameBlocks holds by one table an axis. Rows come out from the first to the last,
/// so that each row of the frame is read once; a horizontally resized one is kept only as long as
/// outputs need it.
class PlaneResize {
public:
    /// `x` and `y` count samples of the area that the blocks will be opened with, from their
    /// `begin`.
    void plan(ResampleTable x, ResampleTable y);
    /// What of a plane starting at (x, y) the tables use.
    Region area(int x, int y) const;

    /// Starts anew with blocks that hold `area()`.
    void start(FrameBlocks &blocks);
    size_t channels() const { return blocks_->layout().channels; }

    /// Row `y`, planar: channels() times as many values as `x` has outputs. Rounded to levels if
    /// they are bytes. Rows must be asked for in order.
    template<typename T>
    void row(size_t y, T *dst);

private:
    void read_block(size_t first);

    ResampleTable x_;
    ResampleTable y_;
    std::vector<size_t> needed_; ///< columns that each group of outputs needs packed
    std::vector<size_t> order_;  ///< of the outputs of each group
    FrameBlocks *blocks_ = nullptr;
    size_t ready_ = 0; ///< rows in the ring so far
    size_t row_floats_ = 0;
    size_t ring_rows_ = 0;
    std::vector<float> block_;        ///< kBlockRows rows, interleaved
    std::vector<float> ring_;         ///< horizontally resized rows that are still needed
    std::vector<const float *> taps_; ///< rows of the ring under the vertical weights
};

} // namespace tvw
