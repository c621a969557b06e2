// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads rows of any frame as packed 8-bit RGB.
#pragma once

#include <tvw/frame.h>

#include "transforms/pixel.h"

#include <cstdint>
#include <vector>

namespace tvw {

/// Coefficients for a matrix and a range; exact to 2^-17 of a level per level.
pixel::YuvCoefficients yuv_coefficients(ColorMatrix matrix, ColorRange range);

/// Error(kInvalidArgument) unless every pixel of the frame can be read.
void check_frame(const FrameView &frame);

/// A rectangle of one frame. Chroma of the subsampled formats is repeated, not interpolated.
class RgbRows {
public:
    /// `area` lies inside the frame, which `check_frame` has accepted.
    RgbRows(const FrameView &frame, const Region &area);

    /// Row `y` of the area, 3 * area.width bytes: the frame's own bytes where they are packed RGB
    /// already, else written to `scratch`.
    const uint8_t *read(int y, uint8_t *scratch) const;

private:
    const uint8_t *row(int plane, int y) const;

    FrameView frame_;
    Region area_;
    pixel::YuvCoefficients yuv_;
};

} // namespace tvw
