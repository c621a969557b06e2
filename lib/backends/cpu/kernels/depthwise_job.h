// SPDX-License-Identifier: LGPL-2.1-or-later
// What depthwise.cpp hands to the code of each instruction set.
#pragma once

#include "backends/cpu/kernels/depthwise.h"

#include <algorithm>

namespace tvw::cpu::depthwise {

/// Channels of a block of weights: a cache line of floats, and the most that a vector holds.
inline constexpr int64_t kBlock = 16;
/// Pixels of a tile at most: with as many sums, a row of the kernel and one input fill 16
/// registers.
inline constexpr int64_t kMostTile = 8;
/// Rows that divide into none as large as this are not worth code of their own.
inline constexpr int64_t kLeastTile = 4;

/// Rows of a kernel that is computed in tiles at most.
inline constexpr int64_t kMostLines = 16;

/// Channels that a thread works on at a time at most. Two cache lines, so that the rows of an image
/// fit into the nearest cache and the pages into its table; more where rows are short and every row
/// that is begun costs as much as it does.
inline constexpr int64_t kMostUnit = 256;
inline constexpr int64_t kUnitOfLongRows = 32;
inline constexpr int64_t kShortRow = 8;
/// Parts of an image for each thread at least, since threads are not equally fast.
inline constexpr int64_t kPartsOfThread = 16;
/// Bands of an image at most.
inline constexpr int64_t kMostBands = 64;

/// One call of run(): all that does not change from one tile to the next.
struct Job {
    Depthwise::Shape shape;
    Image<const float> x;
    Image<float> y;
    Epilogue epilogue;
    const float *weight;
    int64_t bands;   ///< parts of the result's height
    int64_t unit;    ///< channels of a part, a multiple of kBlock
    float *partials; ///< sums of channels, [N, bands, C], or null
};

/// What of the kernel's height or width lies in the image: [begin, end).
struct Taps {
    int64_t begin;
    int64_t end;
};

/// `first` is where the first tap reads, in 0 … size if that is inside.
inline Taps taps_inside(int64_t first, int64_t taps, int64_t dilation, int64_t size) {
    const int64_t before = first < 0 ? (-first + dilation - 1) / dilation : 0;
    const int64_t inside = first < size ? (size - first + dilation - 1) / dilation : 0;
    const int64_t end = std::min(taps, inside);
    return {std::min(before, end), end};
}

} // namespace tvw::cpu::depthwise
