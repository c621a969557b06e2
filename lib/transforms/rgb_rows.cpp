// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/rgb_rows.h"

#include <tvw/error.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

namespace tvw {
namespace {

/// Bytes of one plane's row; 0 for planes that the format does not have.
ptrdiff_t row_bytes(const FrameView &frame, int plane) {
    const ptrdiff_t width = frame.width;
    const ptrdiff_t chroma = (width + 1) / 2;
    switch (frame.format) {
    case PixelFormat::kRGB:
    case PixelFormat::kBGR:
        return plane == 0 ? 3 * width : 0;
    case PixelFormat::kRGBA:
    case PixelFormat::kBGRA:
    case PixelFormat::kRGBx:
    case PixelFormat::kBGRx:
        return plane == 0 ? 4 * width : 0;
    case PixelFormat::kGRAY8:
        return plane == 0 ? width : 0;
    case PixelFormat::kNV12:
        return plane == 0 ? width : plane == 1 ? 2 * chroma : 0;
    case PixelFormat::kI420:
        return plane == 0 ? width : chroma;
    }
    return 0;
}

template<int kStep, int kRed, int kBlue>
void read_packed(const uint8_t *src, int count, uint8_t *dst) {
    for (int i = 0; i < count; ++i, src += kStep, dst += 3) {
        dst[0] = src[kRed];
        dst[1] = src[1];
        dst[2] = src[kBlue];
    }
}

/// `x` is the column of the first pixel: two neighbours share the chroma of an even column.
template<int kChromaStep>
void read_yuv(const pixel::YuvCoefficients &k, const uint8_t *luma, const uint8_t *u,
              const uint8_t *v, int x, int count, uint8_t *dst) {
    for (int i = 0; i < count; ++i, dst += 3) {
        const int chroma = (x + i) / 2 * kChromaStep;
        const pixel::Rgb rgb = pixel::yuv_to_rgb(k, luma[x + i], u[chroma], v[chroma]);
        dst[0] = rgb.r;
        dst[1] = rgb.g;
        dst[2] = rgb.b;
    }
}

void read_gray(const pixel::YuvCoefficients &k, const uint8_t *src, int count, uint8_t *dst) {
    for (int i = 0; i < count; ++i, dst += 3)
        dst[0] = dst[1] = dst[2] = pixel::level_of_fixed((src[i] - k.y_offset) * k.y);
}

} // namespace

pixel::YuvCoefficients yuv_coefficients(ColorMatrix matrix, ColorRange range) {
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
    const double luma = limited ? 255.0 / 219 : 1;
    const double chroma = limited ? 255.0 / 224 : 1;
    const auto fixed = [](double value) { return int32_t(std::lround(value * 65536)); };
    return {limited ? 16 : 0,
            fixed(luma),
            fixed(chroma * 2 * (1 - red)),
            fixed(chroma * 2 * (1 - blue) * blue / green),
            fixed(chroma * 2 * (1 - red) * red / green),
            fixed(chroma * 2 * (1 - blue))};
}

void check_frame(const FrameView &frame) {
    constexpr int kMaxSide = 1 << 24; // whole numbers beyond it are not exact in float
    if (std::min(frame.width, frame.height) < 1 || std::max(frame.width, frame.height) > kMaxSide) {
        throw Error(ErrorKind::kInvalidArgument, "a frame of " + std::to_string(frame.width) + "×" +
                                                     std::to_string(frame.height) +
                                                     " pixels is empty or too large");
    }
    for (int plane = 0; plane < 3; ++plane) {
        const ptrdiff_t bytes = row_bytes(frame, plane);
        if (bytes == 0)
            continue;
        const Plane &p = frame.planes[size_t(plane)];
        if (!p.data || (frame.height > 1 && std::abs(p.stride) < bytes)) {
            throw Error(ErrorKind::kInvalidArgument,
                        "plane " + std::to_string(plane) + " of the frame needs " +
                            std::to_string(bytes) + " bytes a row, but has " +
                            (p.data ? "a stride of " + std::to_string(p.stride) : "no data"));
        }
    }
}

RgbRows::RgbRows(const FrameView &frame, const Region &area)
    : frame_(frame), area_(area), yuv_(yuv_coefficients(frame.matrix, frame.range)) {}

const uint8_t *RgbRows::row(int plane, int y) const {
    const Plane &p = frame_.planes[size_t(plane)];
    return p.data + p.stride * y;
}

const uint8_t *RgbRows::read(int y, uint8_t *scratch) const {
    const int frame_y = area_.y + y;
    const int x = area_.x;
    const int count = area_.width;
    const uint8_t *first = row(0, frame_y);
    switch (frame_.format) {
    case PixelFormat::kRGB:
        return first + 3 * ptrdiff_t{x};
    case PixelFormat::kBGR:
        read_packed<3, 2, 0>(first + 3 * ptrdiff_t{x}, count, scratch);
        break;
    case PixelFormat::kRGBA:
    case PixelFormat::kRGBx:
        read_packed<4, 0, 2>(first + 4 * ptrdiff_t{x}, count, scratch);
        break;
    case PixelFormat::kBGRA:
    case PixelFormat::kBGRx:
        read_packed<4, 2, 0>(first + 4 * ptrdiff_t{x}, count, scratch);
        break;
    case PixelFormat::kNV12: {
        const uint8_t *uv = row(1, frame_y / 2);
        read_yuv<2>(yuv_, first, uv, uv + 1, x, count, scratch);
        break;
    }
    case PixelFormat::kI420:
        read_yuv<1>(yuv_, first, row(1, frame_y / 2), row(2, frame_y / 2), x, count, scratch);
        break;
    case PixelFormat::kGRAY8:
        read_gray(yuv_, first + x, count, scratch);
        break;
    }
    return scratch;
}

} // namespace tvw
