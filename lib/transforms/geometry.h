// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a preset's resize and centre crop put a picture: sizes and offsets only.
#pragma once

#include <tvw/export.h>

#include <cstdint>
#include <span>

namespace tvw {

struct Size {
    int64_t height = 0;
    int64_t width = 0;
    bool operator==(const Size &) const = default;
};

/// What torchvision's Resize makes of `src`: one number is the length of the short side, two are
/// height and width.
TVW_API Size resized_size(Size src, std::span<const int64_t> resize_size);

/// One axis of a centre crop: `count` samples from `first` of the resized axis, put behind `before`
/// samples of zero; zeros fill the rest of the crop.
struct CropSpan {
    int64_t first = 0;
    int64_t count = 0;
    int64_t before = 0;
    bool operator==(const CropSpan &) const = default;
};

TVW_API CropSpan center_crop(int64_t resized, int64_t crop);

} // namespace tvw
