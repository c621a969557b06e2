// SPDX-License-Identifier: LGPL-2.1-or-later
// The loops from rows of Y'CbCr samples to rows of RGB, compiled for each instruction set: the same
// bits as pixel.h, whose words they use.
#pragma once

#include "transforms/pixel.h"

#include <cstddef>
#include <cstdint>

namespace tvw {

/// What the loops below may read and write beyond the last sample that counts.
constexpr size_t kRowPadding = 64;

/// A row of samples: groups of `step` bytes, of which one sample begins at `offset`. Only these
/// groups are read.
struct SampleRow {
    pixel::SampleKind kind;
    const uint8_t *data;
    int offset;
    int step;
};

/// dst[i] = sample i.
void unpack(const SampleRow &row, size_t count, uint16_t *dst);

/// Chroma between two rows, in quarters: dst[i] = weight * a[i] + (4 - weight) * b[i] - offset.
void blend_rows(const SampleRow &a, const SampleRow &b, int weight, int offset, size_t count,
                int16_t *dst);

/// One row of planar RGB.
struct RgbRow {
    uint8_t *r;
    uint8_t *g;
    uint8_t *b;
};

/// `y` begins at an even column, and u[0] and v[0] are the chroma that it shares, in quarters and
/// less their offset (`blend_rows`); where chroma is interpolated, the samples before the first and
/// after the last are there as well.
void convert_row(const pixel::YuvCoefficients &k, pixel::ChromaAxis axis, const uint16_t *y,
                 const int16_t *u, const int16_t *v, size_t count, const RgbRow &dst);

} // namespace tvw
