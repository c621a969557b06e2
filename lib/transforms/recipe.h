// SPDX-License-Identifier: LGPL-2.1-or-later
// What all presets are made of: a resize, a centre crop, a normalisation.
#pragma once

#include <tvw/export.h>
#include <tvw/transforms.h>

#include "transforms/geometry.h"
#include "transforms/parameters.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace tvw {

struct Recipe {
    std::string_view preset;
    std::vector<int64_t> resize; ///< empty: sizes stay
    std::vector<int64_t> crop;   ///< empty: all is kept
    InterpolationMode interpolation = InterpolationMode::kNearest;
    bool antialias = false;
    Normalization normalization; ///< of levels / 255
};

/// Error(kInvalidArgument) on parameters that torchvision would refuse.
TVW_API Recipe make_recipe(const Transforms &preset);

/// Where a picture goes: resized, cut to `x` and `y`, and put into `output`.
struct Placement {
    Size resized;
    CropSpan x;
    CropSpan y;
    Size output;
};

TVW_API Placement place(const Recipe &recipe, Size src);

} // namespace tvw
