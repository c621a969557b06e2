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
    const auto [first, last] = std::minmax_element(components, components + count, before);
    *base = first->data;
    return std::all_of(components, components + count,
                       [&](const Component &c) {
                           return c.stride == first->stride && c.step == first->step;
                       }) &&
           last->data - first->data < first->step;
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
    layout_ = {channels * kBlockRows, channels, {0, kBlockRows, 2 * kBlockRows}};
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
        make_room(words_, kBlockRows * count * size_t(area.width));
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
        for (int32_t y = 0; y < 256; ++y) {
            grey_levels_[size_t(y)] =
                pixel::level_of_fixed((y - source.yuv.y_offset) * source.yuv.y);
        }
        make_room(bytes_, kBlockRows * width);
    } else {
        open(Way::kConverted, 3);
        make_room(bytes_, kBlockRows * 3 * (width + kRowPadding));
        make_room(words_, width + kRowPadding);
        make_room(chroma_, 2 * (width + 2 + kRowPadding));
    }
}

/// Asks for the rows of the next block, whose ends the CPU's own prefetching does not foresee.
void FrameBlocks::prefetch(int first) const {
    constexpr int kLine = 64;
    const int end = std::min(first + int(kBlockRows), area_.height);
    const auto ask = [&](const Component &component, bool half_width, bool half_height) {
        const int x = half_width ? area_.x / 2 : area_.x;
        const int bytes = (half_width ? area_.width / 2 : area_.width) * component.step;
        for (int y = area_.y + first; y < area_.y + end; y += half_height ? 2 : 1) {
            const uint8_t *row = at(component, x, half_height ? y / 2 : y);
            for (int i = 0; i < bytes; i += kLine)
                __builtin_prefetch(row + i, 0, 2);
        }
    };
    const bool converted = way_ == Way::kConverted;
    // Components of packed formats come with the first.
    const size_t count = way_ == Way::kPacked ? 1 : layout_.channels;
    for (size_t c = first_component_; c < first_component_ + count; ++c) {
        const bool chroma = converted && c > 0;
        ask(source_.component[c], chroma && source_.horizontal != ChromaAxis::kFull,
            chroma && source_.vertical != ChromaAxis::kFull);
    }
}

void FrameBlocks::read(int first) {
    prefetch(first + int(kBlockRows));
    for (size_t r = 0; r < kBlockRows; ++r) {
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
    const Component &luma = source_.component[0];
    uint8_t *dst = &bytes_[r * size_t(area_.width)];
    const uint8_t *src = at(luma, area_.x, y);
    for (int i = 0; i < area_.width; ++i)
        dst[i] = grey_levels_[src[ptrdiff_t{i} * luma.step]];
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

void FrameBlocks::pack(size_t begin, size_t end, float *block) const {
    float *dst = block + begin * layout_.pixel;
    std::array<const uint8_t *, kBlockRows> rows{};
    const auto rows_from = [&](const std::array<const uint8_t *, kBlockRows> &all, size_t at) {
        std::transform(all.begin(), all.end(), rows.begin(),
                       [at](const uint8_t *row) { return row + at; });
    };
    if (way_ == Way::kWords) {
        const size_t width = size_t(area_.width);
        for (size_t c = 0; c < layout_.channels; ++c) {
            std::array<const uint16_t *, kBlockRows> words{};
            for (size_t r = 0; r < kBlockRows; ++r)
                words[r] = &words_[(r * layout_.channels + c) * width + begin];
            pack_words(words, end - begin, layout_.pixel, dst + layout_.first[c]);
        }
    } else if (way_ == Way::kPacked) {
        const auto base =
            std::min_element(layout_.first.begin(), layout_.first.begin() + long(layout_.channels));
        rows_from(rows_[size_t(base - layout_.first.begin())], begin * step_);
        pack_bytes(rows, (end - begin - 1) * step_ + extent_, kBlockRows, dst);
    } else {
        for (size_t c = 0; c < layout_.channels; ++c) {
            rows_from(rows_[c], begin);
            pack_bytes(rows, end - begin, layout_.pixel, dst + layout_.first[c]);
        }
    }
}

} // namespace tvw
