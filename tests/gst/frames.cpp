// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/frames.h"

#include <algorithm>

namespace tvw::test {

namespace {

/// A mapped frame, unmapped at the end of the scope.
class Mapped {
public:
    Mapped(const GstVideoInfo &info, GstBuffer *buffer, GstMapFlags flags) {
        ck_assert(gst_video_frame_map(&frame_, &info, buffer, flags));
    }
    ~Mapped() { gst_video_frame_unmap(&frame_); }
    Mapped(const Mapped &) = delete;
    Mapped &operator=(const Mapped &) = delete;
    GstVideoFrame *get() { return &frame_; }
    guint8 *row(guint plane, int y) {
        return static_cast<guint8 *>(GST_VIDEO_FRAME_PLANE_DATA(&frame_, plane)) +
               ptrdiff_t(y) * GST_VIDEO_FRAME_PLANE_STRIDE(&frame_, plane);
    }

private:
    GstVideoFrame frame_{};
};

uint8_t between(uint8_t left, uint8_t right, int x, int width) {
    return uint8_t(left + (right - left) * x / std::max(width - 1, 1));
}

Buffer allocate(const GstVideoInfo &info) {
    return Buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
}

void paint(const Picture &picture, Mapped &frame) {
    const int width = GST_VIDEO_FRAME_WIDTH(frame.get());
    for (int y = 0; y < GST_VIDEO_FRAME_HEIGHT(frame.get()); ++y) {
        guint8 *pixel = frame.row(0, y);
        for (int x = 0; x < width; ++x, pixel += 3) {
            pixel[0] = between(picture.left.red, picture.right.red, x, width);
            pixel[1] = between(picture.left.green, picture.right.green, x, width);
            pixel[2] = between(picture.left.blue, picture.right.blue, x, width);
        }
    }
}

int rows_of(const GstVideoInfo &info, guint plane) {
    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&info); ++c) {
        if (guint(GST_VIDEO_INFO_COMP_PLANE(&info, c)) == plane)
            return GST_VIDEO_INFO_COMP_HEIGHT(&info, c);
    }
    return 0;
}

} // namespace

bool takes_overlays(GstVideoFormat format) {
    return format != GST_VIDEO_FORMAT_GBR && format != GST_VIDEO_FORMAT_P010_10LE &&
           format != GST_VIDEO_FORMAT_I420_10LE;
}

GstVideoInfo Layout::info() const {
    GstVideoInfo info;
    gst_video_info_set_format(&info, format, guint(width), guint(height));
    info.fps_n = 25;
    if (colorimetry)
        ck_assert(gst_video_colorimetry_from_string(&info.colorimetry, colorimetry));
    return info;
}

std::string Layout::caps() const {
    const GstVideoInfo info = this->info();
    const Owned<GstCaps> caps(gst_video_info_to_caps(&info));
    const Owned<gchar> text(gst_caps_to_string(caps.get()));
    return text.get();
}

Buffer make_frame(const Picture &picture, const Layout &layout, GstClockTime pts) {
    const GstVideoInfo rgb = Layout{GST_VIDEO_FORMAT_RGB, layout.width, layout.height}.info();
    const GstVideoInfo info = layout.info();
    const Buffer painted = allocate(rgb);
    Buffer buffer = allocate(info);
    {
        Mapped source(rgb, painted.get(), GST_MAP_READWRITE);
        paint(picture, source);
        Mapped target(info, buffer.get(), GST_MAP_WRITE);
        GstVideoConverter *converter = gst_video_converter_new(&rgb, &info, nullptr);
        gst_video_converter_frame(converter, source.get(), target.get());
        gst_video_converter_free(converter);
    }
    GST_BUFFER_PTS(buffer.get()) = pts;
    return buffer;
}

Buffer with_padding(const Buffer &frame, const Layout &layout, int bytes) {
    const GstVideoInfo info = layout.info();
    gsize offset[GST_VIDEO_MAX_PLANES] = {};
    gint stride[GST_VIDEO_MAX_PLANES] = {};
    gsize size = 0;
    for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(&info); ++plane) {
        stride[plane] = GST_VIDEO_INFO_PLANE_STRIDE(&info, plane) + 2 * bytes;
        offset[plane] = size + gsize(bytes);
        size += gsize(stride[plane]) * gsize(rows_of(info, plane));
    }
    Buffer padded(gst_buffer_new_allocate(nullptr, size, nullptr));
    gst_buffer_memset(padded.get(), 0, 0xA5, size);
    gst_buffer_add_video_meta_full(padded.get(), GST_VIDEO_FRAME_FLAG_NONE, layout.format,
                                   guint(layout.width), guint(layout.height),
                                   GST_VIDEO_INFO_N_PLANES(&info), offset, stride);
    {
        Mapped source(info, frame.get(), GST_MAP_READ);
        Mapped target(info, padded.get(), GST_MAP_WRITE);
        ck_assert(gst_video_frame_copy(target.get(), source.get()));
    }
    GST_BUFFER_PTS(padded.get()) = GST_BUFFER_PTS(frame.get());
    return padded;
}

std::string bytes_of(GstBuffer *buffer) {
    std::string bytes(gst_buffer_get_size(buffer), '\0');
    gst_buffer_extract(buffer, 0, bytes.data(), bytes.size());
    return bytes;
}

} // namespace tvw::test
