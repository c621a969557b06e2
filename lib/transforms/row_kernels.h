// SPDX-License-Identifier: LGPL-2.1-or-later
// The loops of a separable resize over rows of floats, compiled for each instruction set. All of
// them give the same bits.
#pragma once

#include "transforms/resample_table.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tvw {

/// Rows that one step of the horizontal pass takes together: side by side in its vectors.
constexpr size_t kBlockRows = 8;

/// Columns that packing does best in multiples of.
constexpr size_t kColumnGroup = 16;

/// Rows of `count` bytes into a block: block[i * step + r] = rows[r][i].
void pack_bytes(const std::array<const uint8_t *, kBlockRows> &rows, size_t count, size_t step,
                float *block);

/// The same with rows of sums.
void pack_sums(const std::array<const int16_t *, kBlockRows> &rows, size_t count, size_t step,
               float *block);

/// Channels times groups of rows that the horizontal pass sums up at a time: as many as a block
/// has.
constexpr size_t kBlockVectors = 3;

/// How the pixels of a block lie: groups of kBlockRows rows, one behind the other.
struct BlockLayout {
    size_t pixel = 0;    ///< floats from one pixel of a group to the next
    size_t channels = 0; ///< 1 or 3 that are resized
    size_t groups = 1;
    std::array<size_t, 3> first{}; ///< of each channel's kBlockRows floats inside the pixel
};

/// Outputs that the horizontal pass does at a time.
constexpr size_t kOutputGroup = 32;

/// One block and where its rows go.
struct Block {
    BlockLayout layout;
    const float *data; ///< the table's samples from its `begin` on
    size_t group;      ///< floats from group to group
    float *dst;
    size_t stride; ///< floats from row to row of dst
};

/// Resizes outputs [begin, end) of `table`, at most kOutputGroup, each row planar:
/// dst[r * stride + c * outputs + i]. `order` has the same outputs in the order in which they are
/// computed: quickest if those with windows of one length follow each other.
void resize_horizontally(const ResampleTable &table, size_t begin, size_t end, const size_t *order,
                         const Block &block);

/// dst[i] = sum of rows[k][i] * weights[k] over the window, rounded to 8 bits.
void resize_vertically(const ResampleWindow &window, const float *weights, const float *const *rows,
                       size_t count, uint8_t *dst);

/// An output of a vertical pass as a pair of rows is added to it.
struct PairSums {
    int16_t *sums;
    const int16_t *before; ///< the same, or zeros for its first pair
    const int16_t *weights;
};

/// sums[offset + i] = before[offset + i] + the products of rows[0][i] and rows[1][i] with the
/// weights, those of FixedTable, for each of the outputs.
void add_rows(const std::array<const uint8_t *, 2> &rows, size_t count,
              std::span<const PairSums> outputs, size_t offset);

/// dst[i] = row[i] + FixedTable::kMiddle, rounded to 8 bits.
void round_levels(const float *row, size_t count, uint8_t *dst);

/// (x - mean) / std of levels / 255.
struct LevelScale {
    float mean;
    float std;
};

/// dst[i] = pixel::normalized(levels[i], …).
void normalize_levels(const uint8_t *levels, size_t count, const LevelScale &scale, float *dst);

} // namespace tvw
