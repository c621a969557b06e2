// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_resize.h"

#include "transforms/yuv_kernels.h"

#include <utility>

namespace tvw {

using pixel::ColorModel;

ResampleTable FrameResize::pixel_table(int64_t from, int64_t to, const CropSpan &span) const {
    return make_resample_table(recipe_.interpolation, recipe_.antialias, from, to, span.first,
                               span.count);
}

void FrameResize::plan(const Key &key, const Region &area, const Placement &placement) {
    if (key == key_)
        return;
    key_ = {}; // should an allocation below fail, nothing half made is used
    const auto [resized, x, y, output] = placement;
    ResampleTable columns = pixel_table(area.width, resized.width, x);
    ResampleTable rows = pixel_table(area.height, resized.height, y);
    if (key.fast) {
        chroma_.plan(make_chroma_table(columns, key.horizontal, area.x, int(key.frame.width)),
                     make_chroma_table(rows, key.vertical, area.y, int(key.frame.height)));
    }
    pixels_.plan(std::move(columns), std::move(rows));
    key_ = key;
}

void FrameResize::start(const pixel::Source &source, const Region &area,
                        const Placement &placement) {
    Key key;
    key.src = {area.height, area.width};
    key.fast = mode_ == PreprocessMode::kFast && source.model == ColorModel::kYuv;
    if (key.fast) {
        key.frame = {source.height, source.width};
        key.x = area.x;
        key.y = area.y;
        key.horizontal = source.horizontal;
        key.vertical = source.vertical;
    }
    plan(key, area, placement);
    columns_ = size_t(placement.x.count);

    const Region pixels = pixels_.area(area.x, area.y);
    if (key.fast) {
        pixel_blocks_.open_samples(source, 0, 1, pixels);
        chroma_blocks_.open_samples(source, 1, 2, chroma_.area(0, 0));
        chroma_.start(chroma_blocks_);
        matrix_ = pixel::matrix_of(source.yuv);
        samples_.resize(kChannels * columns_);
        channels_ = kChannels;
    } else {
        pixel_blocks_.open_rgb(source, pixels);
        channels_ = pixel_blocks_.layout().channels;
    }
    pixels_.start(pixel_blocks_);
    levels_.resize(channels_ * columns_);
}

const uint8_t *FrameResize::row(size_t y) {
    if (key_.fast) {
        float *luma = samples_.data();
        pixels_.row(y, luma);
        chroma_.row(y, luma + columns_);
        uint8_t *r = levels_.data();
        convert_samples(matrix_, luma, luma + columns_, luma + 2 * columns_, columns_,
                        {r, r + columns_, r + 2 * columns_});
    } else {
        pixels_.row(y, levels_.data());
    }
    return levels_.data();
}

} // namespace tvw
