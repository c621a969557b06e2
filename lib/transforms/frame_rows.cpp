// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_rows.h"

#include <algorithm>

namespace tvw {
namespace {

using pixel::ColorModel;
using pixel::Component;

const Component &lowest(const pixel::Source &source, size_t channels) {
    const auto before = [](const Component &a, const Component &b) { return a.data < b.data; };
    return *std::min_element(source.component, source.component + channels, before);
}

/// Whether the first components are bytes of one pixel in one plane.
bool are_interleaved(const pixel::Source &source, size_t channels) {
    const Component &first = lowest(source, channels);
    return std::all_of(
        source.component, source.component + channels, [&](const Component &component) {
            return component.stride == first.stride && component.step == first.step &&
                   component.data - first.data < first.step;
        });
}

bool is_full_range(const pixel::Source &source) {
    return source.yuv.y_offset == 0;
}

} // namespace

void FrameRows::open_in_place(size_t channels) {
    if (!are_interleaved(source_, channels)) {
        layout_ = {channels, channels};
        first_ = {0, 1, 2};
        return;
    }
    const Component &first = lowest(source_, channels);
    layout_ = {channels, 1, size_t(first.step)};
    for (size_t c = 0; c < channels; ++c) {
        layout_.offset[c] = size_t(source_.component[c].data - first.data);
        layout_.extent = std::max(layout_.extent, layout_.offset[c] + 1);
    }
    first_ = {size_t(&first - source_.component)};
}

void FrameRows::open(const pixel::Source &source, const Region &area, size_t kept) {
    source_ = source;
    area_ = area;
    const bool grey = source.model == ColorModel::kGray;
    const size_t channels = grey ? 1 : 3;
    converts_ = source.model != ColorModel::kRgb && !(grey && is_full_range(source));
    if (!converts_) {
        open_in_place(channels);
        return;
    }
    layout_ = {channels, channels};
    kept_ = kept;
    next_ = 0;
    yuv_.open(source, area);
    bytes_.reserve(kept * channels * yuv_.row_size());
}

RowStrands FrameRows::read(int y) {
    if (!converts_)
        return in_place(y);
    const size_t channel = layout_.channels == 1 ? 0 : yuv_.row_size();
    uint8_t *dst = bytes_.data() + next_ * layout_.channels * yuv_.row_size();
    next_ = (next_ + 1) % kept_;
    yuv_.convert(area_.y + y, {dst, dst + channel, dst + 2 * channel});
    dst += yuv_.before();
    return {dst, dst + channel, dst + 2 * channel};
}

RowStrands FrameRows::in_place(int y) const {
    RowStrands row{};
    for (size_t strand = 0; strand < layout_.strands; ++strand) {
        const Component &component = source_.component[first_[strand]];
        row[strand] =
            component.data + component.stride * (area_.y + y) + ptrdiff_t{component.step} * area_.x;
    }
    return row;
}

} // namespace tvw
