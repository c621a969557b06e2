// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/geometry.h"

namespace tvw {
namespace {

/// n / 2 rounded half to even, as Python's round() does.
int64_t half_to_even(int64_t n) {
    const int64_t floor = n / 2;
    return floor + (n % 2 != 0 && floor % 2 != 0 ? 1 : 0);
}

} // namespace

Size resized_size(Size src, std::span<const int64_t> resize_size) {
    if (resize_size.size() == 2)
        return {resize_size[0], resize_size[1]};
    const int64_t size = resize_size[0];
    const bool portrait = src.width <= src.height;
    const int64_t short_side = portrait ? src.width : src.height;
    const int64_t long_side = portrait ? src.height : src.width;
    // Python divides two integers with one rounding; the product is exact in double.
    const auto new_long = int64_t(double(size * long_side) / double(short_side));
    return portrait ? Size{new_long, size} : Size{size, new_long};
}

CropSpan center_crop(int64_t resized, int64_t crop) {
    if (resized < crop)
        return {0, resized, (crop - resized) / 2};
    return {half_to_even(resized - crop), crop, 0};
}

} // namespace tvw
