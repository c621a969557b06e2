// SPDX-License-Identifier: LGPL-2.1-or-later
// The resampling tables of a frame: which it needs, and what they depend on.
#pragma once

#include <tvw/export.h>
#include <tvw/frame.h>
#include <tvw/transforms.h>

#include "transforms/pixel.h"
#include "transforms/recipe.h"
#include "transforms/resample_table.h"

namespace tvw {

/// What the tables depend on, for one recipe.
struct TableKey {
    Size src;
    bool fast = false; ///< luma and chroma are resized each on its own
    Size frame;        ///< this and the following only where chroma has tables of its own
    int x = 0;         ///< where the area begins
    int y = 0;
    pixel::ChromaAxis horizontal{};
    pixel::ChromaAxis vertical{};
    bool operator==(const TableKey &) const = default;
};

TVW_API TableKey table_key(PreprocessMode mode, const pixel::Source &source, const Region &area);

/// One table an axis.
struct PlaneTables {
    ResampleTable x;
    ResampleTable y;
};

/// Of pixels, counted from the area's first.
TVW_API PlaneTables pixel_tables(const Recipe &recipe, const TableKey &key,
                                 const PicturePlacement &placement);

/// Of the chroma samples of a fast resize whose pixels have the tables `pixels`, counted from the
/// frame's first.
TVW_API PlaneTables chroma_tables(const PlaneTables &pixels, const TableKey &key);

} // namespace tvw
