// SPDX-License-Identifier: LGPL-2.1-or-later
#include "video_frame_view.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>

namespace tvw::gst {

namespace {

PixelFormat pixel_format(GstVideoFormat format) {
    switch (format) {
    case GST_VIDEO_FORMAT_RGB:
        return PixelFormat::kRGB;
    case GST_VIDEO_FORMAT_BGR:
        return PixelFormat::kBGR;
    case GST_VIDEO_FORMAT_RGBA:
        return PixelFormat::kRGBA;
    case GST_VIDEO_FORMAT_BGRA:
        return PixelFormat::kBGRA;
    case GST_VIDEO_FORMAT_ARGB:
        return PixelFormat::kARGB;
    case GST_VIDEO_FORMAT_ABGR:
        return PixelFormat::kABGR;
    case GST_VIDEO_FORMAT_RGBx:
        return PixelFormat::kRGBx;
    case GST_VIDEO_FORMAT_BGRx:
        return PixelFormat::kBGRx;
    case GST_VIDEO_FORMAT_xRGB:
        return PixelFormat::kxRGB;
    case GST_VIDEO_FORMAT_xBGR:
        return PixelFormat::kxBGR;
    case GST_VIDEO_FORMAT_GBR:
        return PixelFormat::kGBR;
    case GST_VIDEO_FORMAT_NV12:
        return PixelFormat::kNV12;
    case GST_VIDEO_FORMAT_NV21:
        return PixelFormat::kNV21;
    case GST_VIDEO_FORMAT_I420:
        return PixelFormat::kI420;
    case GST_VIDEO_FORMAT_YV12:
        return PixelFormat::kYV12;
    case GST_VIDEO_FORMAT_Y42B:
        return PixelFormat::kY42B;
    case GST_VIDEO_FORMAT_Y444:
        return PixelFormat::kY444;
    case GST_VIDEO_FORMAT_YUY2:
        return PixelFormat::kYUY2;
    case GST_VIDEO_FORMAT_UYVY:
        return PixelFormat::kUYVY;
    case GST_VIDEO_FORMAT_GRAY8:
        return PixelFormat::kGRAY8;
    case GST_VIDEO_FORMAT_P010_10LE:
        return PixelFormat::kP010_10LE;
    case GST_VIDEO_FORMAT_I420_10LE:
        return PixelFormat::kI420_10LE;
    default:
        throw Error(ErrorKind::kNotSupported,
                    fmt::format("video format {} is not supported; put videoconvert before",
                                gst_video_format_to_string(format)));
    }
}

ChromaSite chroma_site(GstVideoChromaSite sites, GstVideoChromaSite axis) {
    return (sites & axis) != 0 ? ChromaSite::kCosited : ChromaSite::kCentered;
}

ColorMatrix color_matrix(GstVideoColorMatrix matrix) {
    switch (matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT709:
    case GST_VIDEO_COLOR_MATRIX_SMPTE240M: // differs by 0.01 in the weight of blue
        return ColorMatrix::kBT709;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
        return ColorMatrix::kBT2020;
    default: // FCC is BT.601 rounded
        return ColorMatrix::kBT601;
    }
}

/// Where the caps do not say, grey is full range for GStreamer, and colour is not.
ColorRange color_range(const GstVideoInfo &info) {
    if (info.colorimetry.range == GST_VIDEO_COLOR_RANGE_UNKNOWN)
        return GST_VIDEO_INFO_IS_GRAY(&info) ? ColorRange::kFull : ColorRange::kLimited;
    return info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255 ? ColorRange::kFull
                                                                 : ColorRange::kLimited;
}

} // namespace

GstVideoInfo info_from_caps(const GstCaps *caps) {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, caps))
        throw Error(ErrorKind::kInvalidArgument, "caps that are no video's");
    // GStreamer reads the site only where the colorimetry is there too, and then knows no default.
    const GstStructure *fields = gst_caps_get_structure(caps, 0);
    if (const char *site = gst_structure_get_string(fields, "chroma-site")) {
        info.chroma_site = gst_video_chroma_site_from_string(site);
    } else if (info.chroma_site == GST_VIDEO_CHROMA_SITE_UNKNOWN) {
        GstVideoInfo usual;
        gst_video_info_set_format(&usual, GST_VIDEO_INFO_FORMAT(&info), guint(info.width),
                                  guint(info.height));
        info.chroma_site = usual.chroma_site;
    }
    return info;
}

bool matrix_is_exact(const GstVideoInfo &info) {
    return info.colorimetry.matrix != GST_VIDEO_COLOR_MATRIX_SMPTE240M &&
           info.colorimetry.matrix != GST_VIDEO_COLOR_MATRIX_FCC;
}

std::optional<Region> visible_region(GstBuffer *buffer) {
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
    if (!crop)
        return std::nullopt;
    return Region{int(crop->x), int(crop->y), int(crop->width), int(crop->height)};
}

MappedFrame::MappedFrame(const GstVideoInfo &info, GstBuffer *buffer, GstMapFlags flags) {
    if (gst_video_frame_map(&frame_, &info, buffer, flags))
        return;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("a buffer of {} bytes cannot be read as a frame of {}x{} {}",
                            gst_buffer_get_size(buffer), info.width, info.height,
                            gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info))));
}

MappedFrame::~MappedFrame() {
    gst_video_frame_unmap(&frame_);
}

FrameView MappedFrame::view() const {
    const GstVideoFrame *frame = &frame_;
    FrameView view;
    view.format = pixel_format(GST_VIDEO_FRAME_FORMAT(frame));
    view.width = GST_VIDEO_FRAME_WIDTH(frame);
    view.height = GST_VIDEO_FRAME_HEIGHT(frame);
    const size_t planes = std::min<size_t>(GST_VIDEO_FRAME_N_PLANES(frame), view.planes.size());
    for (size_t i = 0; i < planes; ++i) {
        view.planes[i].data = static_cast<const uint8_t *>(GST_VIDEO_FRAME_PLANE_DATA(frame, i));
        view.planes[i].stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, i);
    }
    view.matrix = color_matrix(frame->info.colorimetry.matrix);
    view.range = color_range(frame->info);
    view.horizontal = chroma_site(frame->info.chroma_site, GST_VIDEO_CHROMA_SITE_H_COSITED);
    view.vertical = chroma_site(frame->info.chroma_site, GST_VIDEO_CHROMA_SITE_V_COSITED);
    return view;
}

} // namespace tvw::gst
