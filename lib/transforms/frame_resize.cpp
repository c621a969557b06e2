// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_resize.h"

#include "transforms/yuv_kernels.h"

namespace tvw {
namespace {

using pixel::ChromaAxis;
using pixel::ColorModel;

/// The first chroma sample that pixels from `begin` on share, and how many `count` pixels do.
int chroma_first(ChromaAxis axis, int begin) {
    return axis == ChromaAxis::kFull ? begin : begin / 2;
}

int chroma_count(ChromaAxis axis, int begin, int count) {
    return axis == ChromaAxis::kFull ? count : (begin + count - 1) / 2 - begin / 2 + 1;
}

} // namespace

ResampleTable FrameResize::pixel_table(int64_t from, int64_t to, const CropSpan &span) const {
    return make_resample_table(recipe_.interpolation, recipe_.antialias, from, to, span.first,
                               span.count);
}

ResampleTable FrameResize::chroma_table(ChromaAxis axis, int begin, int64_t from, int64_t to,
                                        const CropSpan &span) const {
    if (axis == ChromaAxis::kFull)
        return pixel_table(from, to, span);
    SampleAxis samples;
    samples.samples = chroma_count(axis, begin, int(from));
    samples.scale = double(float(from) / float(to)) / 2;
    // Centred samples lie in the middle of two pixels, cosited ones a quarter of that before.
    samples.origin = (begin % 2 != 0 ? 0.5 : 0) + (axis == ChromaAxis::kCosited ? 0.25 : 0);
    // An axis that keeps its size is not resampled, but its chroma is still interpolated.
    const bool kept = from == to;
    return make_resample_table(kept ? InterpolationMode::kBilinear : recipe_.interpolation,
                               recipe_.antialias, samples, span.first, span.count);
}

void FrameResize::plan(const Key &key, const Region &area, const Placement &placement) {
    if (key == key_)
        return;
    key_ = {}; // should an allocation below fail, nothing half made is used
    const auto [resized, x, y, output] = placement;
    pixels_.plan(pixel_table(area.width, resized.width, x),
                 pixel_table(area.height, resized.height, y));
    if (key.fast) {
        chroma_.plan(chroma_table(key.horizontal, area.x, area.width, resized.width, x),
                     chroma_table(key.vertical, area.y, area.height, resized.height, y));
    }
    key_ = key;
}

void FrameResize::start(const pixel::Source &source, const Region &area,
                        const Placement &placement) {
    Key key;
    key.src = {area.height, area.width};
    key.fast = mode_ == PreprocessMode::kFast && source.model == ColorModel::kYuv &&
               recipe_.interpolation != InterpolationMode::kNearest;
    if (key.fast) {
        key.horizontal = source.horizontal;
        key.vertical = source.vertical;
        key.odd_x = area.x % 2 != 0;
        key.odd_y = area.y % 2 != 0;
    }
    plan(key, area, placement);
    columns_ = size_t(placement.x.count);

    const Region pixels = pixels_.area(area.x, area.y);
    if (key.fast) {
        pixel_blocks_.open_samples(source, 0, 1, pixels);
        chroma_blocks_.open_samples(source, 1, 2,
                                    chroma_.area(chroma_first(source.horizontal, area.x),
                                                 chroma_first(source.vertical, area.y)));
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
