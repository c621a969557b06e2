// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_tables.h"

namespace tvw {
namespace {

ResampleTable pixel_table(const Recipe &recipe, int64_t from, int64_t to, const CropSpan &span) {
    return make_resample_table(recipe.interpolation, recipe.antialias, from, to, span.first,
                               span.count);
}

} // namespace

TableKey table_key(PreprocessMode mode, const pixel::Source &source, const Region &area) {
    TableKey key;
    key.src = {area.height, area.width};
    key.fast = mode == PreprocessMode::kFast && source.model == pixel::ColorModel::kYuv;
    if (key.fast) {
        key.frame = {source.height, source.width};
        key.x = area.x;
        key.y = area.y;
        key.horizontal = source.horizontal;
        key.vertical = source.vertical;
    }
    return key;
}

PlaneTables pixel_tables(const Recipe &recipe, const TableKey &key,
                         const PicturePlacement &placement) {
    const auto &[resized, x, y, output] = placement;
    return {pixel_table(recipe, key.src.width, resized.width, x),
            pixel_table(recipe, key.src.height, resized.height, y)};
}

PlaneTables chroma_tables(const PlaneTables &pixels, const TableKey &key) {
    return {make_chroma_table(pixels.x, key.horizontal, key.x, int(key.frame.width)),
            make_chroma_table(pixels.y, key.vertical, key.y, int(key.frame.height))};
}

} // namespace tvw
