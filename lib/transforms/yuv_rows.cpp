// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/yuv_rows.h"

#include <hwy/cache_control.h>

#include <algorithm>

namespace tvw {
namespace {

using pixel::ChromaAxis;
using pixel::Component;

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

const uint8_t *at(const Component &component, int x, int y) {
    return component.data + component.stride * y + ptrdiff_t{component.step} * x;
}

/// What `blend` makes of samples [begin, end) that exist out of `count` from `first` on, with the
/// outermost ones repeated. A sample is `kSize` numbers.
template<int kSize, class Blend>
void extend(int first, int count, int existing, int16_t *dst, const Blend &blend) {
    const int begin = std::max(first, 0);
    const int end = std::min(first + count, existing);
    int16_t *here = dst + ptrdiff_t{kSize} * (begin - first);
    blend(begin, end - begin, here);
    for (int16_t *to = dst; to < here; ++to)
        *to = here[(to - dst) % kSize];
    int16_t *after = here + ptrdiff_t{kSize} * (end - begin);
    for (int16_t *to = after; to < dst + ptrdiff_t{kSize} * count; ++to)
        *to = to[-kSize];
}

} // namespace

bool YuvRows::has_pairs(const pixel::Source &source) {
    return source.model == pixel::ColorModel::kYuv && source.horizontal != ChromaAxis::kFull &&
           source.sample == pixel::SampleKind::kByte && source.component[0].step == 1;
}

void YuvRows::open(const pixel::Source &source, const Region &area) {
    source_ = source;
    area_ = area;
    const bool full = source.horizontal == ChromaAxis::kFull;
    x_ = full ? area.x : area.x / 2 * 2;
    count_ = area.width + before();
    samples_ = full ? count_ : (count_ + 1) / 2 + 2;
    here_ = full ? 0 : 1;
    sample_ = (full ? x_ : x_ / 2) - here_;

    const auto samples = size_t(samples_) + kRowPadding;
    luma_.reserve(row_size());
    for (Room<int16_t> &component : chroma_) {
        component.reserve(samples);
        if (source.model == pixel::ColorModel::kGray) // whose red, green and blue are one
            std::fill_n(component.data(), samples, int16_t{0});
    }
    if (!has_pairs(source))
        return;
    const bool swapped = are_interleaved() && source.component[2].data < source.component[1].data;
    pair_coefficients_ = pair_coefficients(source.yuv, swapped);
    for (size_t slot = 0; slot < kSlots; ++slot) {
        luma_bytes_[slot].reserve(row_size());
        pairs_[slot].reserve(2 * samples);
    }
}

void YuvRows::convert(int y, const RgbRow &dst) {
    unpack(sample_row(source_.component[0], x_, y), size_t(count_), luma_.data());
    int16_t *u = chroma_[0].data();
    int16_t *v = chroma_[1].data();
    if (source_.model == pixel::ColorModel::kYuv) {
        read_chroma(1, y, u);
        read_chroma(2, y, v);
    }
    convert_row(source_.yuv, source_.horizontal, luma_.data(), u + here_, v + here_, size_t(count_),
                dst);
}

void YuvRows::prefetch(int y, size_t begin, size_t count) const {
    const auto prefetch_row = [](const uint8_t *row, size_t bytes) {
        for (size_t i = 0; i < bytes; i += 64)
            hwy::Prefetch(row + i);
    };
    prefetch_row(at(source_.component[0], x_ + int(begin), y), count);
    if (source_.vertical != ChromaAxis::kFull && y % 2 == 0)
        return; // there are half as many rows of chroma
    const int line = pixel::chroma_taps(source_.vertical, y, source_.height).second;
    const int sample = (x_ + int(begin)) / 2;
    const auto step = size_t(source_.component[1].step);
    prefetch_row(at(source_.component[1], sample, line), count / 2 * step);
    if (!are_interleaved())
        prefetch_row(at(source_.component[2], sample, line), count / 2);
}

PairedRow YuvRows::read(int y, size_t slot) {
    const uint8_t *luma = at(source_.component[0], x_, y);
    if (x_ + int(row_size()) > source_.width) { // more is read than there is
        std::copy_n(luma, count_, luma_bytes_[slot].data());
        luma = luma_bytes_[slot].data();
    }
    int16_t *pairs = pairs_[slot].data();
    read_pairs(y, pairs);
    return {luma, pairs + ptrdiff_t{2} * here_};
}

void YuvRows::add(const std::array<PairedRow, 2> &rows, size_t begin, size_t count,
                  std::span<const PairSums> outputs, size_t channel) const {
    const auto from = [begin](const PairedRow &row) {
        return PairedRow{row.y + begin, row.pairs + begin};
    };
    add_paired_rows(pair_coefficients_, source_.horizontal, {from(rows[0]), from(rows[1])}, count,
                    outputs, channel, begin);
}

SampleRow YuvRows::sample_row(const Component &component, int x, int y) const {
    const int offset = offset_in_group(source_, component);
    return {source_.sample, at(component, x, y) - offset, offset, component.step};
}

/// Chroma component `c` of row `y`, blended with the row above or below.
void YuvRows::read_chroma(size_t c, int y, int16_t *dst) const {
    const Component &component = source_.component[c];
    const pixel::ChromaTaps taps = pixel::chroma_taps(source_.vertical, y, source_.height);
    const bool full = source_.horizontal == ChromaAxis::kFull;
    const int existing = full ? source_.width : (source_.width + 1) / 2;
    extend<1>(sample_, samples_, existing, dst, [&](int first, int count, int16_t *to) {
        blend_rows(sample_row(component, first, taps.first),
                   sample_row(component, first, taps.second), taps.first_weight,
                   source_.yuv.chroma_offset / 4, size_t(count), to);
    });
}

/// Both components, in turns.
void YuvRows::read_pairs(int y, int16_t *dst) {
    if (!are_interleaved()) {
        int16_t *u = chroma_[0].data();
        int16_t *v = chroma_[1].data();
        read_chroma(1, y, u);
        read_chroma(2, y, v);
        interleave(u, v, size_t(samples_), dst);
        return;
    }
    const Component &first = source_.component[1];
    const Component &second = source_.component[2];
    const Component pairs = {std::min(first.data, second.data), first.stride, first.step};
    const pixel::ChromaTaps taps = pixel::chroma_taps(source_.vertical, y, source_.height);
    extend<2>(sample_, samples_, (source_.width + 1) / 2, dst, [&](int x, int count, int16_t *to) {
        const auto row = [&](int line) {
            return SampleRow{source_.sample, at(pairs, x, line), 0, 1};
        };
        blend_rows(row(taps.first), row(taps.second), taps.first_weight,
                   source_.yuv.chroma_offset / 4, 2 * size_t(count), to);
    });
}

} // namespace tvw
