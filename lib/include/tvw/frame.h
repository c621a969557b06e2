// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tvw {

/// 8-bit layouts of a video frame; names are GStreamer's. A number of planes as in GstVideoFormat.
enum class PixelFormat { kRGB, kBGR, kRGBA, kBGRA, kRGBx, kBGRx, kNV12, kI420, kGRAY8 };

/// The matrix between RGB and Y'CbCr (ITU-R BT.601, BT.709, BT.2020 non-constant luminance).
enum class ColorMatrix { kBT601, kBT709, kBT2020 };

/// Luma 16–235 with chroma 16–240, or 0–255 for all.
enum class ColorRange { kLimited, kFull };

/// One plane as mapped: rows are `stride` bytes apart (may be negative).
struct Plane {
    const uint8_t *data = nullptr;
    ptrdiff_t stride = 0;
};

/// A frame that somebody else owns and keeps unchanged while it is read.
struct FrameView {
    PixelFormat format = PixelFormat::kRGB;
    int width = 0;
    int height = 0;
    std::array<Plane, 3> planes;
    ColorMatrix matrix = ColorMatrix::kBT601; ///< Y'CbCr formats only
    ColorRange range = ColorRange::kLimited;  ///< Y'CbCr formats and GRAY8
};

/// A rectangle in pixels inside a frame.
struct Region {
    int x = 0;
    int y = 0;
    int width = 0;
    int height = 0;
};

} // namespace tvw
