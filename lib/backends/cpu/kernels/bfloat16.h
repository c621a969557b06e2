// SPDX-License-Identifier: LGPL-2.1-or-later
// Matrix products of factors that are rounded to bfloat16, with sums in float32: what the
// instructions of AMX and AVX512_BF16 do, and the same in portable code, which tests compare with
// them. (Intel, Architecture Instruction Set Extensions Programming Reference, chapter 3.)
#pragma once

#include "backends/cpu/kernels/gemm.h"

#include <cstdint>
#include <span>

namespace tvw::cpu {

/// The upper half of a float.
using Bfloat16 = uint16_t;

// A tile of results has kTileRows rows and kPanel columns; each of its factors has kTileDepth
// values of k.
inline constexpr int64_t kTileRows = 16;
inline constexpr int64_t kTileDepth = 32;

/// Up to 2 × 2 tiles: c[row][column] = sum_k a[row][k] · b[k][column]. A row of a is in pieces of
/// equal length, which begin where `taps` says.
struct TileBlock {
    const Bfloat16 *a; ///< row_tiles · kTileRows rows, and all of them are read
    int64_t a_stride;
    std::span<const int64_t> taps;
    int64_t tap_depth;    ///< a multiple of kTileDepth
    const Bfloat16 *b;    ///< [panels][taps · tap_depth / 2][kPanel][2]
    int64_t panel;        ///< values to that of the next panel
    int row_tiles;        ///< 1 or 2
    int panels;           ///< 1 or 2
    float *c;             ///< [row_tiles · kTileRows][2 · kPanel], aligned to 64 bytes
    const Bfloat16 *next; ///< what is multiplied later, of two panels: may be fetched meanwhile
    int64_t next_step;    ///< as many values of each for each kTileDepth of k
};

/// One way to compute them.
struct Bfloat16Kernels {
    const char *name;
    /// to[i] = from[i] · scale[i], rounded to the nearest; scale: null for ones. What is below the
    /// least normal number may become zero.
    void (*round)(const float *from, const float *scale, Bfloat16 *to, int64_t count);
    /// A thread calls these before its first and after its last block.
    void (*begin)();
    void (*end)();
    void (*multiply)(const TileBlock &block);
};

/// All that this CPU has, the fastest first and the portable one last.
std::span<const Bfloat16Kernels *const> bfloat16_kernels();

/// Whether the first of them is faster than float32.
bool multiplies_bfloat16();

} // namespace tvw::cpu
