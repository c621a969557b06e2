// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

/// Frames of video as decoders and cameras lay them out, and which RGB they stand for.
///
/// The RGB of a pixel of the Y'CbCr formats is computed as if exactly, and rounded once to the
/// nearest of 256 levels: chroma that has fewer samples than luma is interpolated linearly between
/// those next to the pixel, where `FrameView` says that they sit (the outermost ones count beyond
/// the edges too); then comes the inverse of the matrix, for the range. Samples of 10 bits are used
/// whole. So the same picture has the same RGB in all formats that can hold it, which GStreamer's
/// videoconvert gives to within its rounding where it computes with 16 bits, but for rows that are
/// cosited vertically, which it repeats; with 8 bits it is up to four levels off, and repeats
/// chroma for some formats.
namespace tvw {

/// Layouts of a video frame; names, order and number of planes are GStreamer's.
enum class PixelFormat {
    kRGB,
    kBGR,
    kRGBA, ///< alpha is ignored, here and below
    kBGRA,
    kARGB,
    kABGR,
    kRGBx,
    kBGRx,
    kxRGB,
    kxBGR,
    kGBR,       ///< planes: green, blue, red
    kNV12,      ///< 4:2:0: Y', then Cb and Cr in turns
    kNV21,      ///< 4:2:0: Y', then Cr and Cb in turns
    kI420,      ///< 4:2:0: Y', Cb, Cr
    kYV12,      ///< 4:2:0: Y', Cr, Cb
    kY42B,      ///< 4:2:2: Y', Cb, Cr
    kY444,      ///< 4:4:4: Y', Cb, Cr
    kYUY2,      ///< 4:2:2: Y' Cb Y' Cr
    kUYVY,      ///< 4:2:2: Cb Y' Cr Y'
    kGRAY8,     ///< Y' alone
    kP010_10LE, ///< NV12 of 16 bits, little endian, of which the upper ten count
    kI420_10LE, ///< I420 of 16 bits, little endian, of which the lower ten count
};

/// The matrix between RGB and Y'CbCr (ITU-R BT.601, BT.709, BT.2020 non-constant luminance).
enum class ColorMatrix { kBT601, kBT709, kBT2020 };

/// Luma 16–235 with chroma 16–240 (of 10 bits: 64–940, 64–960), or all values.
enum class ColorRange { kLimited, kFull };

/// Where, along one axis, a chroma sample sits that two luma samples share.
enum class ChromaSite {
    kCentered, ///< halfway between the two
    kCosited,  ///< at the first of them
};

/// One plane as mapped: rows are `stride` bytes apart (may be negative).
struct Plane {
    const uint8_t *data = nullptr;
    ptrdiff_t stride = 0;
};

/// A GPU in whose memory a frame lies.
struct GpuMemory {
    int index = 0; ///< 0: "cuda:0"
    /// The cudaStream_t whose work so far fills the planes, in the GPU's primary context; null
    /// where they are filled.
    void *stream = nullptr;
};

/// A frame that somebody else owns and keeps unchanged while it is read. Interlaced frames are
/// taken as they are, both fields in one picture.
struct FrameView {
    PixelFormat format = PixelFormat::kRGB;
    int width = 0;
    int height = 0;
    std::array<Plane, 3> planes;
    ColorMatrix matrix = ColorMatrix::kBT601; ///< Y'CbCr formats only
    ColorRange range = ColorRange::kLimited;  ///< Y'CbCr formats and GRAY8
    /// Formats with fewer chroma samples than luma; the defaults are GStreamer's, which takes
    /// `horizontal` to be cosited in pictures of 720 lines or more whose caps say nothing.
    ChromaSite horizontal = ChromaSite::kCentered;
    ChromaSite vertical = ChromaSite::kCentered; ///< 4:2:0 only
    std::optional<GpuMemory> gpu = {};           ///< where the planes lie; none: the host's memory
};

/// A rectangle in pixels inside a frame.
struct Region {
    int x = 0;
    int y = 0;
    int width = 0;
    int height = 0;
};

/// What a model looks at: a frame, or a region of one.
struct FrameInput {
    FrameView frame;
    std::optional<Region> region = {};
};

} // namespace tvw
