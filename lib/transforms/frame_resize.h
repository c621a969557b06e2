// SPDX-License-Identifier: LGPL-2.1-or-later
// A frame resized and cut as a preset wants it: rows of 8-bit RGB, one after another.
#pragma once

#include "transforms/frame_blocks.h"
#include "transforms/frame_tables.h"
#include "transforms/plane_resize.h"
#include "transforms/recipe.h"

#include <cstdint>
#include <vector>

namespace tvw {

/// Rows of a resized frame. Holds the tables of the last size.
class FrameResize {
public:
    FrameResize(const Recipe &recipe, PreprocessMode mode) : recipe_(recipe), mode_(mode) {}

    /// Begins a frame of which `area` is wanted, which goes to `placement`.
    void start(const pixel::Source &source, const Region &area, const PicturePlacement &placement);

    /// 1 where one channel stands for all three, as in grey frames.
    size_t channels() const { return channels_; }

    /// Row `y` of those that the crop keeps, planar: channels() × the columns that it keeps. The
    /// next call overwrites it. To be called with one row after another, from 0 on.
    const uint8_t *row(size_t y);

private:
    void plan(const TableKey &key, const PicturePlacement &placement);

    const Recipe &recipe_;
    PreprocessMode mode_;
    TableKey key_;
    size_t channels_ = 3;
    size_t columns_ = 0;
    pixel::YuvMatrix matrix_{};
    PlaneResize pixels_; ///< of RGB, or of luma
    PlaneResize chroma_;
    FrameBlocks pixel_blocks_;
    FrameBlocks chroma_blocks_;
    std::vector<float> samples_; ///< one row of resized Y', Cb and Cr
    std::vector<uint8_t> levels_;
};

} // namespace tvw
