// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/frame_crop.h"

#include <algorithm>
#include <cstring>

namespace tvw {
namespace {

using pixel::ChromaAxis;
using pixel::ColorModel;
using pixel::Component;
using pixel::Source;

/// Samples [first, last] of one axis of a component.
struct Range {
    int first;
    int last;
};

Range used(const grid::Axis &axis) {
    return {axis.first, axis.first + axis.samples - 1};
}

/// The chroma between which that of pixels in `range` lies.
Range chroma_of(ChromaAxis axis, const Range &range, int pixels) {
    const auto taps = [&](int at) { return pixel::chroma_taps(axis, at, pixels); };
    // With centred samples the pixel after the first may begin no earlier, but the first begins
    // before; the same holds at the end.
    return {std::min(taps(range.first).first, taps(range.first).second),
            std::max(taps(range.last).first, taps(range.last).second)};
}

struct Samples {
    Range x;
    Range y;
};

Samples samples_of(const grid::Job &job, size_t component) {
    const Source &source = job.source;
    const Samples pixels = {used(job.x), used(job.y)};
    if (component == 0 || source.model != ColorModel::kYuv)
        return pixels;
    return {chroma_of(source.horizontal, pixels.x, source.width),
            chroma_of(source.vertical, pixels.y, source.height)};
}

/// Whether the bytes of two components lie between each other: then their rows are copied once.
bool share_rows(const Component &a, ptrdiff_t stride, const uint8_t *data) {
    const ptrdiff_t distance = a.data - data;
    return a.stride == stride && distance > -a.step && distance < a.step;
}

/// Where a sample lies that a pointer cannot show, since no object begins so early.
const uint8_t *moved(const uint8_t *base, ptrdiff_t bytes) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return reinterpret_cast<const uint8_t *>(reinterpret_cast<uintptr_t>(base) + uintptr_t(bytes));
}

} // namespace

/// That of an earlier component of the same plane, or a new one.
size_t FrameCrop::rectangle_of(const Component &component) const {
    for (size_t i = 0; i < count_; ++i) {
        if (share_rows(component, rectangles_[i].stride, rectangles_[i].data))
            return i;
    }
    return count_;
}

FrameCrop::FrameCrop(const grid::Job &job) : source_(job.source) {
    const int width = source_.sample == pixel::SampleKind::kByte ? 1 : 2;
    for (size_t c = 0; c < of_component_.size(); ++c) {
        const Component &component = source_.component[c];
        const auto [x, y] = samples_of(job, c);
        const size_t index = rectangle_of(component);
        of_component_[c] = index;
        Rectangle &rectangle = rectangles_[index];
        if (index == count_) {
            rectangle = {
                component.data, component.stride, PTRDIFF_MAX, PTRDIFF_MIN, y.first, y.last, 0};
            ++count_;
        }
        const ptrdiff_t offset = component.data - rectangle.data;
        const auto step = ptrdiff_t{component.step};
        rectangle.begin = std::min(rectangle.begin, offset + x.first * step);
        rectangle.end = std::max(rectangle.end, offset + x.last * step + width);
        rectangle.first = std::min(rectangle.first, y.first);
        rectangle.last = std::max(rectangle.last, y.last);
    }
    for (size_t i = 0; i < count_; ++i) {
        rectangles_[i].offset = bytes_;
        bytes_ += rectangles_[i].bytes();
    }
}

void FrameCrop::copy_to(uint8_t *dst) const {
    for (size_t i = 0; i < count_; ++i) {
        const Rectangle &rectangle = rectangles_[i];
        const size_t row = rectangle.row_bytes();
        for (int y = rectangle.first; y <= rectangle.last; ++y) {
            std::memcpy(dst, rectangle.data + y * rectangle.stride + rectangle.begin, row);
            dst += row;
        }
    }
}

pixel::Source FrameCrop::source_at(const uint8_t *base) const {
    pixel::Source source = source_;
    for (size_t c = 0; c < of_component_.size(); ++c) {
        const Rectangle &rectangle = rectangles_[of_component_[c]];
        Component &component = source.component[c];
        const ptrdiff_t offset = component.data - rectangle.data;
        component.stride = ptrdiff_t(rectangle.row_bytes());
        component.data = moved(base, ptrdiff_t(rectangle.offset) + offset - rectangle.begin -
                                         rectangle.first * component.stride);
    }
    return source;
}

} // namespace tvw
