// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_tables.h"

namespace tvw {
namespace {

using pixel::ChromaAxis;

ResampleTable pixel_table(const Recipe &recipe, int64_t from, int64_t to, const CropSpan &span) {
    return make_resample_table(recipe.interpolation, recipe.antialias, from, to, span.first,
                               span.count);
}

ResampleTable chroma_table(const Recipe &recipe, ChromaAxis axis, bool odd, int64_t from,
                           int64_t to, const CropSpan &span) {
    if (axis == ChromaAxis::kFull)
        return pixel_table(recipe, from, to, span);
    SampleAxis samples;
    samples.samples = (from + (odd ? 1 : 0) + 1) / 2;
    samples.scale = double(float(from) / float(to)) / 2;
    // Centred samples lie in the middle of two pixels, cosited ones a quarter of that before.
    samples.origin = (odd ? 0.5 : 0) + (axis == ChromaAxis::kCosited ? 0.25 : 0);
    // An axis that keeps its size is not resampled, but its chroma is still interpolated.
    const bool kept = from == to;
    return make_resample_table(kept ? InterpolationMode::kBilinear : recipe.interpolation,
                               recipe.antialias, samples, span.first, span.count);
}

} // namespace

TableKey table_key(const Recipe &recipe, PreprocessMode mode, const pixel::Source &source,
                   const Region &area) {
    TableKey key;
    key.src = {area.height, area.width};
    key.fast = mode == PreprocessMode::kFast && source.model == pixel::ColorModel::kYuv &&
               recipe.interpolation != InterpolationMode::kNearest;
    if (key.fast) {
        key.horizontal = source.horizontal;
        key.vertical = source.vertical;
        key.odd_x = area.x % 2 != 0;
        key.odd_y = area.y % 2 != 0;
    }
    return key;
}

PlaneTables pixel_tables(const Recipe &recipe, const TableKey &key, const Placement &placement) {
    const auto &[resized, x, y, output] = placement;
    return {pixel_table(recipe, key.src.width, resized.width, x),
            pixel_table(recipe, key.src.height, resized.height, y)};
}

PlaneTables chroma_tables(const Recipe &recipe, const TableKey &key, const Placement &placement) {
    const auto &[resized, x, y, output] = placement;
    return {chroma_table(recipe, key.horizontal, key.odd_x, key.src.width, resized.width, x),
            chroma_table(recipe, key.vertical, key.odd_y, key.src.height, resized.height, y)};
}

} // namespace tvw
