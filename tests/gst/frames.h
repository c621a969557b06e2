// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames in every format the elements take, made from one RGB picture by GStreamer's own converter.
#pragma once

#include "gst/elements.h"

#include <gst/video/video.h>

#include <array>
#include <cstdint>
#include <string>

namespace tvw::test {

inline constexpr std::array kFormats = {
    GST_VIDEO_FORMAT_RGB,       GST_VIDEO_FORMAT_BGR,   GST_VIDEO_FORMAT_RGBA,
    GST_VIDEO_FORMAT_BGRA,      GST_VIDEO_FORMAT_ARGB,  GST_VIDEO_FORMAT_ABGR,
    GST_VIDEO_FORMAT_RGBx,      GST_VIDEO_FORMAT_BGRx,  GST_VIDEO_FORMAT_xRGB,
    GST_VIDEO_FORMAT_xBGR,      GST_VIDEO_FORMAT_GBR,   GST_VIDEO_FORMAT_NV12,
    GST_VIDEO_FORMAT_NV21,      GST_VIDEO_FORMAT_I420,  GST_VIDEO_FORMAT_YV12,
    GST_VIDEO_FORMAT_Y42B,      GST_VIDEO_FORMAT_Y444,  GST_VIDEO_FORMAT_YUY2,
    GST_VIDEO_FORMAT_UYVY,      GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_P010_10LE,
    GST_VIDEO_FORMAT_I420_10LE,
};

/// Whether GStreamer can blend overlays into frames of a format.
bool takes_overlays(GstVideoFormat format);

struct Colour {
    uint8_t red;
    uint8_t green;
    uint8_t blue;
};
inline constexpr Colour kRed{200, 30, 30};
inline constexpr Colour kBlue{30, 30, 200};
inline constexpr Colour kWhite{250, 250, 250};

/// What is on a frame: one colour, or that colour at the left turning into another at the right.
struct Picture {
    Colour left;
    Colour right;
    static constexpr Picture flat(Colour colour) { return {colour, colour}; }
};

/// The layout of frames: a format, a size, colorimetry where it is not the usual one.
struct Layout {
    GstVideoFormat format = GST_VIDEO_FORMAT_RGB;
    int width = 48;
    int height = 40;
    const char *colorimetry = nullptr;
    GstVideoInfo info() const;
    std::string caps() const;
};

/// A frame with a presentation time, rows as close together as the format has them by default.
Buffer make_frame(const Picture &picture, const Layout &layout, GstClockTime pts = 0);

/// The same frame with `bytes` of dirt before and after every row, as GstVideoMeta describes it.
Buffer with_padding(const Buffer &frame, const Layout &layout, int bytes);

/// All bytes of a buffer.
std::string bytes_of(GstBuffer *buffer);

} // namespace tvw::test
