// SPDX-License-Identifier: LGPL-2.1-or-later
// The rows of a rectangle of a frame as bytes of R, G and B.
#pragma once

#include <tvw/frame.h>

#include "transforms/pixel.h"
#include "transforms/room.h"
#include "transforms/yuv_rows.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tvw {

/// How the bytes of a row lie: in one strand if its channels are interleaved, otherwise in a
/// strand for each.
struct RowLayout {
    size_t channels = 3; ///< 1 stands for all three
    size_t strands = 3;
    size_t step = 1;                ///< bytes of a strand from pixel to pixel
    size_t extent = 1;              ///< bytes of a strand from a pixel's first channel to its last
    std::array<size_t, 3> offset{}; ///< of each channel in what its strand has of a pixel

    size_t strand_of(size_t channel) const { return strands == 1 ? 0 : channel; }
    size_t bytes(size_t pixels) const { return (pixels - 1) * step + extent; }
};

/// Where the strands of a row begin.
using RowStrands = std::array<const uint8_t *, 3>;

/// Rows are taken from where they lie in the frame; only what must be converted goes through memory
/// of its own, which is kept from frame to frame.
class FrameRows {
public:
    /// Every pixel of `area`, which lies inside the frame. A row that was read stays until
    /// `kept` others were.
    void open(const pixel::Source &source, const Region &area, size_t kept);

    const RowLayout &layout() const { return layout_; }

    /// Row `y` of the area.
    RowStrands read(int y);

private:
    void open_in_place(size_t channels);
    RowStrands in_place(int y) const;

    bool converts_ = false;
    pixel::Source source_{};
    Region area_;
    RowLayout layout_;
    std::array<size_t, 3> first_{}; ///< component that each strand in place begins with

    YuvRows yuv_;
    size_t kept_ = 0;
    size_t next_ = 0;     ///< of the rows that are kept, the next to be overwritten
    Room<uint8_t> bytes_; ///< converted rows
};

} // namespace tvw
