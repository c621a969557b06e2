// SPDX-License-Identifier: LGPL-2.1-or-later
// A frame resized and cut as a preset wants it: rows of 8-bit RGB, one after another.
#pragma once

#include "transforms/frame_blocks.h"
#include "transforms/recipe.h"
#include "transforms/resample_table.h"
#include "transforms/room.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tvw {

/// Rows of a resized frame, each row of which is read once. Blocks of rows are resized
/// horizontally; a resized row is kept only as long as the vertical pass needs it. Where rows are
/// resized vertically first (PreprocessMode::kFast), that happens on the way into the blocks, and
/// what follows is the rounding. Holds the tables of the last size.
class FrameResize {
public:
    FrameResize(const Recipe &recipe, PreprocessMode mode) : recipe_(recipe), mode_(mode) {}

    /// Begins a frame of which `area` is wanted, which goes to `placement`.
    void start(const pixel::Source &source, const Region &area, const PicturePlacement &placement);

    /// 1 where one channel stands for all three, as in grey frames.
    size_t channels() const { return blocks_.layout().channels; }

    /// Row `y` of those that the crop keeps, planar: channels() × the columns that it keeps. The
    /// next call overwrites it. To be called with one row after another, from 0 on.
    const uint8_t *row(size_t y);

private:
    void plan(Size src, const PicturePlacement &placement);
    void plan_columns();
    void need(size_t count);
    void read_block(size_t first);

    const Recipe &recipe_;
    PreprocessMode mode_;
    Size src_;      ///< that the tables are for
    CropSpan rows_; ///< of what it becomes
    Region kept_;   ///< of the area: what they use
    ResampleTable x_;
    std::optional<FixedTable> ahead_; ///< of rows that are not yet resized horizontally
    ResampleTable y_;                 ///< of those that are
    std::vector<size_t> needed_;      ///< columns that each group of outputs needs packed
    std::vector<size_t> order_;       ///< of the outputs of each group

    FrameBlocks blocks_;
    size_t ready_ = 0; ///< rows in the ring so far
    size_t row_floats_ = 0;
    size_t ring_rows_ = 0;
    Room<float> block_;
    std::vector<float> ring_;         ///< horizontally resized rows that are still needed
    std::vector<const float *> taps_; ///< rows of the ring under the vertical weights
    std::vector<uint8_t> levels_;
};

} // namespace tvw
