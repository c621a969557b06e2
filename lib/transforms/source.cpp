// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/source.h"

#include <tvw/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>

namespace tvw {
namespace {

using pixel::ColorModel;
using pixel::SampleKind;

/// Where a component's first sample lies, and how far it is to the next; in samples.
struct Place {
    int plane;
    int offset;
    int step;
};

/// How a format lays its components out.
struct Layout {
    ColorModel model;
    std::array<Place, 3> places; ///< R, G, B, or Y', Cb, Cr
    bool half_width = false;     ///< chroma's, rounded up
    bool half_height = false;
    SampleKind sample = SampleKind::kByte;
};

constexpr Layout packed_rgb(int step, int red, int green, int blue) {
    return {ColorModel::kRgb, {{{0, red, step}, {0, green, step}, {0, blue, step}}}};
}

constexpr Layout planar_yuv(int u_plane, int v_plane, bool half_width, bool half_height,
                            SampleKind sample = SampleKind::kByte) {
    return {ColorModel::kYuv,
            {{{0, 0, 1}, {u_plane, 0, 1}, {v_plane, 0, 1}}},
            half_width,
            half_height,
            sample};
}

constexpr Layout semiplanar_yuv(int u, int v, SampleKind sample = SampleKind::kByte) {
    return {ColorModel::kYuv, {{{0, 0, 1}, {1, u, 2}, {1, v, 2}}}, true, true, sample};
}

constexpr Layout packed_yuv(int y, int u, int v) {
    return {ColorModel::kYuv, {{{0, y, 2}, {0, u, 4}, {0, v, 4}}}, true, false};
}

Layout layout_of(PixelFormat format) {
    switch (format) {
    case PixelFormat::kRGB:
        return packed_rgb(3, 0, 1, 2);
    case PixelFormat::kBGR:
        return packed_rgb(3, 2, 1, 0);
    case PixelFormat::kRGBA:
    case PixelFormat::kRGBx:
        return packed_rgb(4, 0, 1, 2);
    case PixelFormat::kBGRA:
    case PixelFormat::kBGRx:
        return packed_rgb(4, 2, 1, 0);
    case PixelFormat::kARGB:
    case PixelFormat::kxRGB:
        return packed_rgb(4, 1, 2, 3);
    case PixelFormat::kABGR:
    case PixelFormat::kxBGR:
        return packed_rgb(4, 3, 2, 1);
    case PixelFormat::kGBR:
        return {ColorModel::kRgb, {{{2, 0, 1}, {0, 0, 1}, {1, 0, 1}}}};
    case PixelFormat::kNV12:
        return semiplanar_yuv(0, 1);
    case PixelFormat::kNV21:
        return semiplanar_yuv(1, 0);
    case PixelFormat::kI420:
        return planar_yuv(1, 2, true, true);
    case PixelFormat::kYV12:
        return planar_yuv(2, 1, true, true);
    case PixelFormat::kY42B:
        return planar_yuv(1, 2, true, false);
    case PixelFormat::kY444:
        return planar_yuv(1, 2, false, false);
    case PixelFormat::kYUY2:
        return packed_yuv(0, 1, 3);
    case PixelFormat::kUYVY:
        return packed_yuv(1, 0, 2);
    case PixelFormat::kGRAY8:
        return {ColorModel::kGray, {{{0, 0, 1}, {0, 0, 1}, {0, 0, 1}}}};
    case PixelFormat::kP010_10LE:
        return semiplanar_yuv(0, 1, SampleKind::kHigh10);
    case PixelFormat::kI420_10LE:
        return planar_yuv(1, 2, true, true, SampleKind::kLow10);
    }
    throw Error(ErrorKind::kInvalidArgument,
                "pixel format " + std::to_string(int(format)) + " does not exist");
}

pixel::ChromaAxis chroma_axis(bool half, ChromaSite site) {
    if (!half)
        return pixel::ChromaAxis::kFull;
    return site == ChromaSite::kCosited ? pixel::ChromaAxis::kCosited
                                        : pixel::ChromaAxis::kCentered;
}

pixel::YuvCoefficients coefficients(ColorMatrix matrix, ColorRange range, bool ten_bits) {
    double red = 0.299;
    double blue = 0.114;
    if (matrix == ColorMatrix::kBT709) {
        red = 0.2126;
        blue = 0.0722;
    } else if (matrix == ColorMatrix::kBT2020) {
        red = 0.2627;
        blue = 0.0593;
    }
    const double green = 1 - red - blue;
    const bool limited = range == ColorRange::kLimited;
    const int wider = ten_bits ? 4 : 1;
    const double full = ten_bits ? 1023 : 255;
    const double luma = 255.0 / (limited ? 219 * wider : full);
    const double chroma = 255.0 / (limited ? 224 * wider : full) / 16;
    const auto fixed = [](double value) {
        return int32_t(std::lround(std::ldexp(value, pixel::YuvCoefficients::kFraction)));
    };
    return {limited ? 16 * wider : 0,
            128 * wider * 16,
            fixed(luma),
            fixed(chroma * 2 * (1 - red)),
            fixed(chroma * 2 * (1 - blue) * blue / green),
            fixed(chroma * 2 * (1 - red) * red / green),
            fixed(chroma * 2 * (1 - blue))};
}

void check_size(const FrameView &frame) {
    constexpr int kMaxSide = 1 << 24; // whole numbers beyond it are not exact in float
    if (std::min(frame.width, frame.height) < 1 || std::max(frame.width, frame.height) > kMaxSide) {
        throw Error(ErrorKind::kInvalidArgument, "a frame of " + std::to_string(frame.width) + "×" +
                                                     std::to_string(frame.height) +
                                                     " pixels is empty or too large");
    }
}

/// Refuses a plane whose rows are shorter than `bytes`.
void check_plane(const FrameView &frame, int plane, ptrdiff_t bytes) {
    const Plane &p = frame.planes[size_t(plane)];
    if (p.data && (frame.height == 1 || std::abs(p.stride) >= bytes))
        return;
    throw Error(ErrorKind::kInvalidArgument,
                "plane " + std::to_string(plane) + " of the frame needs " + std::to_string(bytes) +
                    " bytes a row, but has " +
                    (p.data ? "a stride of " + std::to_string(p.stride) : "no data"));
}

} // namespace

pixel::Source make_source(const FrameView &frame) {
    check_size(frame);
    const Layout layout = layout_of(frame.format);
    const int bytes = layout.sample == SampleKind::kByte ? 1 : 2;
    pixel::Source source{};
    source.width = frame.width;
    source.height = frame.height;
    source.model = layout.model;
    source.sample = layout.sample;
    source.horizontal = chroma_axis(layout.half_width, frame.horizontal);
    source.vertical = chroma_axis(layout.half_height, frame.vertical);
    source.yuv = coefficients(frame.matrix, frame.range, bytes == 2);
    for (size_t c = 0; c < layout.places.size(); ++c) {
        const Place &place = layout.places[c];
        const bool half = c > 0 && layout.half_width;
        const ptrdiff_t columns = half ? (ptrdiff_t{frame.width} + 1) / 2 : frame.width;
        check_plane(frame, place.plane, columns * place.step * bytes);
        const Plane &plane = frame.planes[size_t(place.plane)];
        source.component[c] = {plane.data + ptrdiff_t{place.offset} * bytes, plane.stride,
                               place.step * bytes};
    }
    return source;
}

Region area_of(const FrameView &frame, const std::optional<Region> &region) {
    if (!region)
        return {0, 0, frame.width, frame.height};
    const Region &r = *region;
    if (r.x < 0 || r.y < 0 || r.width < 1 || r.height < 1 || r.width > frame.width - r.x ||
        r.height > frame.height - r.y) {
        throw Error(ErrorKind::kInvalidArgument,
                    "region " + std::to_string(r.width) + "×" + std::to_string(r.height) + " at (" +
                        std::to_string(r.x) + ", " + std::to_string(r.y) +
                        ") is empty or not inside the frame of " + std::to_string(frame.width) +
                        "×" + std::to_string(frame.height));
    }
    return r;
}

} // namespace tvw
