// SPDX-License-Identifier: LGPL-2.1-or-later
// Rows of a Y'CbCr or grey frame as RGB.
#pragma once

#include <tvw/frame.h>

#include "transforms/paired_kernels.h"
#include "transforms/pixel.h"
#include "transforms/room.h"
#include "transforms/yuv_kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tvw {

/// Reads rows of a rectangle of a frame, in memory that is kept from frame to frame.
class YuvRows {
public:
    void open(const pixel::Source &source, const Region &area);

    /// Columns that come before the area's first: 1 where that shares its chroma with the one
    /// before.
    int before() const { return area_.x - x_; }
    /// With those.
    size_t columns() const { return size_t(count_); }
    /// What a row must have room for.
    size_t row_size() const { return columns() + kRowPadding; }

    /// Row `y` of the frame.
    void convert(int y, const RgbRow &dst);

    /// Whether a frame has what PairedRow wants: bytes, those of luma next to each other, and
    /// chroma that columns share.
    static bool has_pairs(const pixel::Source &source);
    /// Rows that are kept for `add`.
    static constexpr size_t kSlots = 8;
    /// Row `y` of the frame, until the slot is used again.
    PairedRow read(int y, size_t slot);
    /// Columns [begin, begin + count) of a row of the frame that is going to be read: short rows
    /// that lie far apart are what CPUs do not see coming.
    void prefetch(int y, size_t begin, size_t count) const;
    /// Adds columns [begin, begin + count) of two rows, as add_paired_rows. `begin` is even.
    void add(const std::array<PairedRow, 2> &rows, size_t begin, size_t count,
             std::span<const PairSums> outputs, size_t channel) const;

private:
    void read_chroma(size_t c, int y, int16_t *dst) const;
    void read_pairs(int y, int16_t *dst);
    bool are_interleaved() const { return source_.component[1].step == 2; }
    SampleRow sample_row(const pixel::Component &component, int x, int y) const;

    pixel::Source source_{};
    Region area_;
    int x_ = 0; ///< first column, and how many
    int count_ = 0;
    int sample_ = 0; ///< first chroma sample, and how many: where columns share them, with one more
    int samples_ = 0; ///< at either end
    int here_ = 0;    ///< of them, which belongs to the first column

    Room<uint16_t> luma_;
    std::array<Room<int16_t>, 2> chroma_;

    PairCoefficients pair_coefficients_{};
    std::array<Room<uint8_t>, kSlots> luma_bytes_;
    std::array<Room<int16_t>, kSlots> pairs_;
};

} // namespace tvw
