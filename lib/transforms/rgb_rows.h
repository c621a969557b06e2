// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads rows of any frame as packed 8-bit RGB.
#pragma once

#include <tvw/frame.h>

#include "transforms/pixel.h"

#include <cstdint>

namespace tvw {

/// A rectangle of one frame.
class RgbRows {
public:
    /// `area` lies inside the frame.
    RgbRows(const pixel::Source &source, const Region &area);

    /// Row `y` of the area, 3 * area.width bytes: the frame's own bytes where they are packed RGB
    /// already, else written to `scratch`.
    const uint8_t *read(int y, uint8_t *scratch) const;

private:
    pixel::Source source_;
    Region area_;
};

} // namespace tvw
