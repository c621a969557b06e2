// SPDX-License-Identifier: LGPL-2.1-or-later
// The loops of a separable resize over rows of floats, compiled once per kind of CPU.
#pragma once

#include "transforms/resample_table.h"

#include <cstddef>
#include <cstdint>

namespace tvw {

/// Rows that one step of the horizontal pass takes: a vector of the widest CPU.
constexpr size_t kBlockRows = 8;

struct RowKernels {
    const char *name;

    /// Interleaves kBlockRows rows of `count` bytes: block[i * kBlockRows + r] = rows[r][i].
    void (*pack)(const uint8_t *const *rows, size_t count, float *block);

    /// Resizes an interleaved block of packed RGB, `table`'s samples from `table.begin` on, into
    /// kBlockRows rows `stride` floats apart, each planar: dst[r * stride + c * outputs + i].
    void (*horizontal)(const ResampleTable &table, const float *block, float *dst, size_t stride);

    /// dst[i] = sum of rows[k][i] * weights[k] over the window, then rounded to 8 bits.
    void (*vertical)(const ResampleWindow &window, const float *weights, const float *const *rows,
                     size_t count, uint8_t *dst);
};

/// The kernels for the CPU this runs on.
const RowKernels &row_kernels();
/// The kernels that every CPU runs; slower, equal results.
const RowKernels &portable_row_kernels();

} // namespace tvw
