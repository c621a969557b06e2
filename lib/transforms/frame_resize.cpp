// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_resize.h"

#include "transforms/yuv_kernels.h"

#include <utility>

namespace tvw {

void FrameResize::plan(const TableKey &key, const PicturePlacement &placement) {
    if (key == key_)
        return;
    key_ = {}; // should an allocation below fail, nothing half made is used
    PlaneTables pixels = pixel_tables(recipe_, key, placement);
    if (key.fast) {
        PlaneTables chroma = chroma_tables(pixels, key);
        chroma_.plan(std::move(chroma.x), std::move(chroma.y));
    }
    pixels_.plan(std::move(pixels.x), std::move(pixels.y));
    key_ = key;
}

void FrameResize::start(const pixel::Source &source, const Region &area,
                        const PicturePlacement &placement) {
    plan(table_key(mode_, source, area), placement);
    columns_ = size_t(placement.x.count);

    const Region pixels = pixels_.area(area.x, area.y);
    if (key_.fast) {
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
