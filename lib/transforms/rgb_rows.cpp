// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/rgb_rows.h"

namespace tvw {

RgbRows::RgbRows(const pixel::Source &source, const Region &area) : source_(source), area_(area) {}

const uint8_t *RgbRows::read(int y, uint8_t *scratch) const {
    uint8_t *dst = scratch;
    for (int i = 0; i < area_.width; ++i, dst += 3) {
        const pixel::Rgb rgb = pixel::rgb_at(source_, area_.x + i, area_.y + y);
        dst[0] = rgb.r;
        dst[1] = rgb.g;
        dst[2] = rgb.b;
    }
    return scratch;
}

} // namespace tvw
