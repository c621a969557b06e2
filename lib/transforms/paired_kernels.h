// SPDX-License-Identifier: LGPL-2.1-or-later
// Rows of Y'CbCr whose columns share chroma in pairs, to RGB and on to a vertical pass in one loop.
// Compiled for each instruction set; all of them give the same bits.
#pragma once

#include "transforms/pixel.h"
#include "transforms/row_kernels.h"
#include "transforms/yuv_kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tvw {

/// As pixel::YuvCoefficients, but in 16 bits: one level of a few thousand is another, where the
/// exact value is next to a half.
struct PairCoefficients {
    static constexpr int kFraction = 17;
    static constexpr int kLumaFraction = 3; ///< of the samples that y is for
    int16_t y;
    int32_t constant;         ///< of all channels, less kMiddle and rounded
    std::array<int16_t, 2> r; ///< of a pair's two samples, in sixteenths and less their offset
    std::array<int16_t, 2> g;
    std::array<int16_t, 2> b;
};

/// `swapped`: pairs are Cr and Cb.
PairCoefficients pair_coefficients(const pixel::YuvCoefficients &k, bool swapped);

/// A row of 8-bit luma from an even column on, and the chroma that its columns share: Cb and Cr in
/// turns, in quarters and less their offset (`blend_rows`), with one more pair at either end. As
/// much as kRowPadding may be read beyond.
struct PairedRow {
    const uint8_t *y;
    const int16_t *pairs;
};

/// Makes two rows RGB and adds them as `add_rows` does, from `offset` on; as much as kRowPadding
/// may be added beyond. The sums of green and of blue are `channel` and twice `channel` behind
/// those of red.
void add_paired_rows(const PairCoefficients &k, pixel::ChromaAxis axis,
                     const std::array<PairedRow, 2> &rows, size_t count,
                     std::span<const PairSums> outputs, size_t channel, size_t offset);

/// dst[2 * i] = a[i], dst[2 * i + 1] = b[i]; as much as kRowPadding is read and written beyond.
void interleave(const int16_t *a, const int16_t *b, size_t count, int16_t *dst);

} // namespace tvw
