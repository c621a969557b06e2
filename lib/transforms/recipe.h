// SPDX-License-Identifier: LGPL-2.1-or-later
// What all presets are made of: a resize, a centre crop, a normalisation.
#pragma once

#include <tvw/export.h>
#include <tvw/frame.h>
#include <tvw/transforms.h>

#include "transforms/geometry.h"
#include "transforms/parameters.h"
#include "transforms/resample_table.h"

#include <cstdint>
#include <span>
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
struct PicturePlacement {
    Size resized;
    CropSpan x;
    CropSpan y;
    Size output;
};

TVW_API PicturePlacement place(const Recipe &recipe, Size src);

/// One table an axis.
struct ResizeTables {
    ResampleTable x;
    ResampleTable y;
};

/// What brings a picture of size `src` to its `placement`.
ResizeTables resize_tables(const Recipe &recipe, Size src, const PicturePlacement &placement);

/// Of every image that a batch of frames becomes. Error(kInvalidArgument) as Preprocessor::run,
/// without frames, and if the images do not get one size.
TVW_API Size batch_output(const Recipe &recipe, std::span<const FrameInput> frames);

} // namespace tvw
