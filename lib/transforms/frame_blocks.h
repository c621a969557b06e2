// SPDX-License-Identifier: LGPL-2.1-or-later
// A rectangle of a frame as blocks of rows, the way the horizontal pass wants them.
#pragma once

#include <tvw/frame.h>

#include "transforms/pixel.h"
#include "transforms/row_kernels.h"
#include "transforms/yuv_kernels.h"

#include <array>
#include <cstdint>
#include <vector>

namespace tvw {

/// Blocks of kBlockRows rows of some channels of a frame. Bytes are taken from where they lie in
/// the frame; only what must be converted goes through memory of its own, which is kept from frame
/// to frame.
class FrameBlocks {
public:
    /// R, G and B of every pixel of `area`, which lies inside the frame; of grey frames one channel
    /// that stands for all.
    void open_rgb(const pixel::Source &source, const Region &area);

    /// The samples themselves of `count` of the frame's components from `first` on; `area` counts
    /// them, not pixels.
    void open_samples(const pixel::Source &source, size_t first, size_t count, const Region &area);

    const BlockLayout &layout() const { return layout_; }
    /// Rows of a block.
    size_t rows() const { return layout_.groups * kBlockRows; }
    /// Floats of a block for each group.
    size_t group_floats() const { return size_t(area_.width) * layout_.pixel; }

    /// Makes the rows from `first` of the area ready. Below the last row it stands in for those
    /// that do not exist.
    void read(int first);

    /// Columns [begin, end) of these rows, into a block of all columns: group after group.
    void pack(size_t begin, size_t end, float *block) const;

    /// Where the rows that `pack` takes lie: inside the frame, unless they had to be converted.
    const uint8_t *row(size_t channel, size_t r) const { return rows_[channel][r]; }

private:
    enum class Way { kPacked, kPlanar, kWords, kGrey, kConverted };

    void open(Way way, size_t channels);
    void pack_channel(size_t group, size_t c, size_t begin, size_t end, float *dst) const;
    const uint8_t *at(const pixel::Component &component, int x, int y) const;
    SampleRow sample_row(const pixel::Component &component, int x, int y) const;
    void read_words(size_t r, int y);
    void read_grey(size_t r, int y);
    void read_converted(size_t r, int y);
    void read_chroma(size_t c, int y, int first, int count, int16_t *dst) const;

    Way way_ = Way::kPacked;
    pixel::Source source_{};
    Region area_;
    size_t first_component_ = 0;
    BlockLayout layout_;
    size_t extent_ = 0; ///< bytes from the first channel of a packed pixel to its last
    size_t step_ = 1;   ///< bytes from pixel to pixel

    std::array<std::array<const uint8_t *, kMostVectors * kBlockRows>, 3> rows_{};
    std::vector<uint8_t> bytes_; ///< converted rows
    std::vector<uint16_t>
        words_; ///< samples of rows that are wider than a byte, or to be converted
    std::vector<int16_t> chroma_; ///< of a row to be converted
};

} // namespace tvw
