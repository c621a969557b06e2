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
    bool fast = false;  ///< luma and chroma are resized each on its own
    bool odd_x = false; ///< the area begins between two pixels that share chroma
    bool odd_y = false;
    pixel::ChromaAxis horizontal{};
    pixel::ChromaAxis vertical{};
    bool operator==(const TableKey &) const = default;
};

TVW_API TableKey table_key(const Recipe &recipe, PreprocessMode mode, const pixel::Source &source,
                           const Region &area);

/// One table an axis.
struct PlaneTables {
    ResampleTable x;
    ResampleTable y;
};

/// Of pixels, counted from the area's first.
TVW_API PlaneTables pixel_tables(const Recipe &recipe, const TableKey &key,
                                 const Placement &placement);

/// Of the chroma samples of a fast resize, counted from the first that belongs to the area.
TVW_API PlaneTables chroma_tables(const Recipe &recipe, const TableKey &key,
                                  const Placement &placement);

/// The first chroma sample that belongs to pixels from `begin` on.
inline int first_chroma(pixel::ChromaAxis axis, int begin) {
    return axis == pixel::ChromaAxis::kFull ? begin : begin / 2;
}

} // namespace tvw
