// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_blocks.h"

#include <algorithm>

namespace tvw {
namespace {

using pixel::ChromaAxis;
using pixel::ColorModel;
using pixel::Component;
using pixel::SampleKind;

/// Grows only: the size of frames may change back and forth.
template<typename T>
void make_room(std::vector<T> &memory, size_t count) {
    if (memory.size() < count)
        memory.resize(count);
}

/// Whether the components are bytes of one pixel in one plane; `*base` is the first of them.
bool are_packed(const Component *components, size_t count, const uint8_t **base) {
    const auto before = [](const Component &a, const Component &b) { return a.data < b.data; };
    const auto [lowest, highest] = std::minmax_element(components, components + count, before);
    const Component &first = *lowest;
    *base = first.data;
    return std::all_of(components, components + count,
                       [&](const Component &c) {
                           return c.stride == first.stride && c.step == first.step;
                       }) &&
           highest->data - first.data < first.step;
}

/// Bytes from where a group of samples in one plane begins to the component's first.
int offset_in_group(const pixel::Source &source, const Component &component) {
    ptrdiff_t offset = 0;
    for (const Component &other : source.component) {
        const ptrdiff_t distance = component.data - other.data;
        if (distance < component.step)
            offset = std::max(offset, distance);
    }
    return int(offset);
}

bool is_full_range(const pixel::Source &source) {
    return source.yuv.y_offset == 0;
}

} // namespace

const uint8_t *FrameBlocks::at(const Component &component, int x, int y) const {
    return component.data + component.stride * y + ptrdiff_t{component.step} * x;
}

SampleRow FrameBlocks::sample_row(const Component &component, int x, int y) const {
    const int offset = offset_in_group(source_, component);
    return {source_.sample, at(component, x, y) - offset, offset, component.step};
}

void FrameBlocks::open(Way way, size_t channels) {
    way_ = way;
    layout_ = {};
    layout_.pixel = channels * kBlockRows;
    layout_.channels = channels;
    // Of few channels more rows, so that the loops have as much to do between their ends.
    layout_.groups = channels == 3 ? 1 : 3;
    for (size_t c = 0; c < channels; ++c)
        layout_.first[c] = c * kBlockRows;
    step_ = 1;
}

void FrameBlocks::open_samples(const pixel::Source &source, size_t first, size_t count,
                               const Region &area) {
    source_ = source;
    area_ = area;
    first_component_ = first;
    const Component *components = source_.component + first;
    const uint8_t *base = nullptr;
    if (source.sample != SampleKind::kByte) {
        open(Way::kWords, count);
        make_room(words_, rows() * count * size_t(area.width));
    } else if (!are_packed(components, count, &base)) {
        open(Way::kPlanar, count);
    } else {
        open(Way::kPacked, count);
        step_ = size_t(components[0].step);
        layout_.pixel = step_ * kBlockRows;
        extent_ = 0;
        for (size_t c = 0; c < count; ++c) {
            const auto offset = size_t(components[c].data - base);
            layout_.first[c] = offset * kBlockRows;
            extent_ = std::max(extent_, offset + 1);
        }
    }
}

void FrameBlocks::open_rgb(const pixel::Source &source, const Region &area) {
    const bool unchanged = source.model == ColorModel::kGray && is_full_range(source);
    if (source.model == ColorModel::kRgb || unchanged) {
        open_samples(source, 0, unchanged ? 1 : 3, area);
        return;
    }
    source_ = source;
    area_ = area;
    const auto width = size_t(area.width) + 1; // an even column may stand before the first
    if (source.model == ColorModel::kGray) {
        open(Way::kGrey, 1);
        make_room(bytes_, rows() * (width + kRowPadding));
        make_room(words_, width + kRowPadding);
        chroma_.assign(width + kRowPadding, 0);
    } else {
        open(Way::kConverted, 3);
        make_room(bytes_, rows() * 3 * (width + kRowPadding));
        make_room(words_, width + kRowPadding);
        make_room(chroma_, 2 * (width + 2 + kRowPadding));
    }
}

void FrameBlocks::read(int first) {
    for (size_t r = 0; r < rows(); ++r) {
        const int y = area_.y + std::min(first + int(r), area_.height - 1);
        if (way_ == Way::kConverted) {
            read_converted(r, y);
        } else if (way_ == Way::kGrey) {
            read_grey(r, y);
        } else if (way_ == Way::kWords) {
            read_words(r, y);
        } else {
            for (size_t c = 0; c < layout_.channels; ++c)
                rows_[c][r] = at(source_.component[first_component_ + c], area_.x, y);
        }
    }
}

void FrameBlocks::read_words(size_t r, int y) {
    const auto width = size_t(area_.width);
    for (size_t c = 0; c < layout_.channels; ++c) {
        uint16_t *dst = &words_[(r * layout_.channels + c) * width];
        unpack(sample_row(source_.component[first_component_ + c], area_.x, y), width, dst);
    }
}

void FrameBlocks::read_grey(size_t r, int y) {
    const auto width = size_t(area_.width);
    unpack(sample_row(source_.component[0], area_.x, y), width, words_.data());
    uint8_t *dst = &bytes_[r * (width + kRowPadding)];
    // Without chroma, red, green and blue are one.
    convert_row(source_.yuv, ChromaAxis::kFull, words_.data(), chroma_.data(), chroma_.data(),
                width, {dst, dst, dst});
    rows_[0][r] = dst;
}

/// Chroma component `c` of row `y`, samples [first, first + count) where they exist, blended with
/// the row above or below; the outermost ones are repeated.
void FrameBlocks::read_chroma(size_t c, int y, int first, int count, int16_t *dst) const {
    const Component &component = source_.component[c];
    const pixel::ChromaTaps taps = pixel::chroma_taps(source_.vertical, y, source_.height);
    const int last =
        source_.horizontal == ChromaAxis::kFull ? source_.width - 1 : (source_.width + 1) / 2 - 1;
    const int begin = std::max(first, 0);
    const int end = std::min(first + count, last + 1);
    blend_rows(sample_row(component, begin, taps.first), sample_row(component, begin, taps.second),
               taps.first_weight, source_.yuv.chroma_offset / 4, size_t(end - begin),
               dst + (begin - first));
    std::fill(dst, dst + (begin - first), dst[begin - first]);
    std::fill(dst + (end - first), dst + count, dst[end - first - 1]);
}

void FrameBlocks::read_converted(size_t r, int y) {
    const bool full = source_.horizontal == ChromaAxis::kFull;
    const int x = full ? area_.x : area_.x / 2 * 2;
    const int before = area_.x - x;
    const int count = area_.width + before;
    unpack(sample_row(source_.component[0], x, y), size_t(count), words_.data());

    const int samples = full ? count : (count + 1) / 2 + 2; // one more at either end
    const int first = full ? x : x / 2 - 1;
    const size_t room = chroma_.size() / 2;
    int16_t *u = chroma_.data();
    int16_t *v = u + room;
    read_chroma(1, y, first, samples, u);
    read_chroma(2, y, first, samples, v);

    const size_t row_bytes = size_t(area_.width) + 1 + kRowPadding;
    uint8_t *dst = &bytes_[r * 3 * row_bytes];
    const RgbRow rgb = {dst, dst + row_bytes, dst + 2 * row_bytes};
    const int here = full ? 0 : 1;
    convert_row(source_.yuv, source_.horizontal, words_.data(), u + here, v + here, size_t(count),
                rgb);
    rows_[0][r] = rgb.r + before;
    rows_[1][r] = rgb.g + before;
    rows_[2][r] = rgb.b + before;
}

void FrameBlocks::pack_channel(size_t group, size_t c, size_t begin, size_t end, float *dst) const {
    const size_t first_row = group * kBlockRows;
    if (way_ == Way::kWords) {
        const size_t width = size_t(area_.width);
        std::array<const uint16_t *, kBlockRows> words{};
        for (size_t r = 0; r < kBlockRows; ++r)
            words[r] = &words_[((first_row + r) * layout_.channels + c) * width + begin];
        pack_words(words, end - begin, layout_.pixel, dst + layout_.first[c]);
        return;
    }
    std::array<const uint8_t *, kBlockRows> rows{};
    for (size_t r = 0; r < kBlockRows; ++r)
        rows[r] = rows_[c][first_row + r] + begin * step_;
    if (way_ == Way::kPacked)
        pack_bytes(rows, (end - begin - 1) * step_ + extent_, kBlockRows, dst);
    else
        pack_bytes(rows, end - begin, layout_.pixel, dst + layout_.first[c]);
}

void FrameBlocks::pack(size_t begin, size_t end, float *block) const {
    for (size_t group = 0; group < layout_.groups; ++group) {
        float *dst = block + group * group_floats() + begin * layout_.pixel;
        if (way_ == Way::kPacked) {
            // The bytes of a pixel all together, from the first of its channels on.
            const auto first = std::min_element(layout_.first.begin(),
                                                layout_.first.begin() + long(layout_.channels));
            pack_channel(group, size_t(first - layout_.first.begin()), begin, end, dst);
        } else {
            for (size_t c = 0; c < layout_.channels; ++c)
                pack_channel(group, c, begin, end, dst);
        }
    }
}

} // namespace tvw
