// SPDX-License-Identifier: LGPL-2.1-or-later
// From a buffer in system memory to the frame view that the core reads.
#pragma once

#include <tvw/frame.h>

#include <gst/video/video.h>

#include <optional>

/// The formats that FrameView knows, for caps; those of cameras and decoders first.
#define TVW_VIDEO_FORMATS                                                                          \
    "{ NV12, I420, YV12, NV21, YUY2, UYVY, Y42B, Y444, P010_10LE, I420_10LE, RGB, BGR, RGBA, "     \
    "BGRA, ARGB, ABGR, RGBx, BGRx, xRGB, xBGR, GBR, GRAY8 }"

namespace tvw::gst {

/// What the caps say of their frames. Error(kInvalidArgument) where they are not those of video.
GstVideoInfo info_from_caps(const GstCaps *caps);

/// Whether the caps' colour matrix is one that FrameView knows; the nearest is used otherwise.
bool matrix_is_exact(const GstVideoInfo &info);

/// The part of a buffer's frame that is meant to be seen (GstVideoCropMeta); none: all of it.
std::optional<Region> visible_region(GstBuffer *buffer);

/// A buffer mapped for the life of this object.
class MappedFrame {
public:
    /// Error(kInvalidArgument) if the buffer cannot hold a frame of `info`.
    MappedFrame(const GstVideoInfo &info, GstBuffer *buffer, GstMapFlags flags);
    ~MappedFrame();
    MappedFrame(const MappedFrame &) = delete;
    MappedFrame &operator=(const MappedFrame &) = delete;

    /// Planes and strides as mapped, colorimetry as in the caps.
    FrameView view() const;
    GstVideoFrame *get() { return &frame_; }

private:
    GstVideoFrame frame_;
};

} // namespace tvw::gst
