// SPDX-License-Identifier: LGPL-2.1-or-later
// How a buffer becomes the frame that is preprocessed: where its planes lie, what its caps say.
#include "../../gst/video_frame_view.h"

#include "gst/frames.h"

#include <tvw/transforms.h>

#include <cmath>
#include <random>
#include <vector>

using namespace tvw::test;
using tvw::ChromaSite;
using tvw::gst::MappedFrame;

namespace {

constexpr Picture kPicture{kWhite, kRed};

tvw::FrameView view_of(const std::string &caps_text) {
    const Owned<GstCaps> caps(gst_caps_from_string(caps_text.c_str()));
    const GstVideoInfo info = tvw::gst::info_from_caps(caps.get());
    const Buffer buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
    return MappedFrame(info, buffer.get(), GST_MAP_READ).view();
}

/// A frame of noise whose colours fit into RGB, in I420 of ten bits; its samples are bytes times 4.
Buffer noise(const GstVideoInfo &info) {
    Buffer buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
    GstVideoFrame frame;
    ck_assert(gst_video_frame_map(&frame, &info, buffer.get(), GST_MAP_WRITE));
    std::minstd_rand random(5);
    for (guint c = 0; c < 3; ++c) {
        for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); ++y) {
            auto *row = reinterpret_cast<guint16 *>(
                static_cast<guint8 *>(GST_VIDEO_FRAME_COMP_DATA(&frame, c)) +
                ptrdiff_t(y) * GST_VIDEO_FRAME_COMP_STRIDE(&frame, c));
            for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&frame, c); ++x)
                row[x] = guint16(4 * (90 + random() % 70));
        }
    }
    gst_video_frame_unmap(&frame);
    return buffer;
}

/// Red, green and blue of 16 bits by GStreamer's converter, which is exact with so many.
std::vector<double> converted(const GstVideoInfo &from, const Buffer &frame) {
    GstVideoInfo to;
    gst_video_info_set_format(&to, GST_VIDEO_FORMAT_ARGB64, guint(from.width), guint(from.height));
    to.fps_n = from.fps_n;
    to.fps_d = from.fps_d;
    const Buffer result(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&to), nullptr));
    GstVideoFrame source;
    GstVideoFrame target;
    ck_assert(gst_video_frame_map(&source, &from, frame.get(), GST_MAP_READ));
    ck_assert(gst_video_frame_map(&target, &to, result.get(), GST_MAP_READWRITE));
    GstVideoConverter *converter = gst_video_converter_new(
        &from, &to,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DITHER_METHOD,
                          GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE, nullptr));
    gst_video_converter_frame(converter, &source, &target);
    gst_video_converter_free(converter);
    std::vector<double> levels;
    for (guint c = 1; c < 4; ++c) {
        for (gint y = 0; y < from.height; ++y) {
            const auto *row = reinterpret_cast<const guint16 *>(
                static_cast<guint8 *>(GST_VIDEO_FRAME_PLANE_DATA(&target, 0)) +
                ptrdiff_t(y) * GST_VIDEO_FRAME_PLANE_STRIDE(&target, 0));
            for (gint x = 0; x < from.width; ++x)
                levels.push_back(row[4 * x + gint(c)] / 257.0);
        }
    }
    gst_video_frame_unmap(&target);
    gst_video_frame_unmap(&source);
    return levels;
}

/// The same by us: a preset that leaves the size.
std::vector<uint8_t> ours(const GstVideoInfo &info, const Buffer &frame) {
    tvw::ImageClassification preset;
    preset.resize_size = preset.crop_size = {info.height, info.width};
    std::vector<uint8_t> levels(size_t(3) * size_t(info.height) * size_t(info.width));
    const MappedFrame mapped(info, frame.get(), GST_MAP_READ);
    tvw::Preprocessor(preset).run_uint8(mapped.view(), levels);
    return levels;
}

} // namespace

START_TEST(colours_are_those_of_gstreamers_own_converter) {
    for (const char *colorimetry : {"bt601", "bt709", "bt2020"}) {
        // GStreamer repeats rows of chroma that are cosited vertically, where we interpolate.
        for (const gint site :
             {gint(GST_VIDEO_CHROMA_SITE_JPEG), gint(GST_VIDEO_CHROMA_SITE_MPEG2)}) {
            for (const auto &[width, height] : {std::pair(64, 48), std::pair(33, 21)}) {
                GstVideoInfo info =
                    Layout{GST_VIDEO_FORMAT_I420_10LE, width, height, colorimetry}.info();
                info.chroma_site = GstVideoChromaSite(site);
                const Buffer frame = noise(info);
                const auto expected = converted(info, frame);
                const auto levels = ours(info, frame);
                for (size_t i = 0; i < levels.size(); ++i) {
                    ck_assert_msg(std::abs(levels[i] - expected[i]) <= 1,
                                  "%s, site %d, %dx%d, value %zu: %d, not %g", colorimetry, site,
                                  width, height, i, levels[i], expected[i]);
                }
            }
        }
    }
}
END_TEST

START_TEST(planes_lie_in_the_buffers_own_memory) {
    for (const GstVideoFormat format : kFormats) {
        const Layout layout{format, 49, 33};
        const Buffer padded = with_padding(make_frame(kPicture, layout), layout, 6);
        ck_assert_uint_eq(gst_buffer_n_memory(padded.get()), 1);
        GstMapInfo memory;
        ck_assert(gst_buffer_map(padded.get(), &memory, GST_MAP_READ));
        const GstVideoMeta *meta = gst_buffer_get_video_meta(padded.get());
        {
            const MappedFrame frame(layout.info(), padded.get(), GST_MAP_READ);
            const tvw::FrameView view = frame.view();
            for (guint plane = 0; plane < meta->n_planes; ++plane) {
                ck_assert_ptr_eq(view.planes[plane].data, memory.data + meta->offset[plane]);
                ck_assert_int_eq(view.planes[plane].stride, meta->stride[plane]);
            }
        }
        gst_buffer_unmap(padded.get(), &memory);
    }
}
END_TEST

START_TEST(chroma_sits_where_the_caps_say) {
    const std::string caps = "video/x-raw, format=NV12, width=64, height=48";
    const auto sites = [&](const std::string &more) {
        const tvw::FrameView view = view_of(caps + more);
        return std::pair(view.horizontal, view.vertical);
    };
    constexpr auto kCentered = ChromaSite::kCentered;
    constexpr auto kCosited = ChromaSite::kCosited;
    ck_assert(sites("") == std::pair(kCentered, kCentered));
    ck_assert(sites(", chroma-site=mpeg2") == std::pair(kCosited, kCentered));
    ck_assert(sites(", chroma-site=cosited") == std::pair(kCosited, kCosited));
    ck_assert(sites(", chroma-site=jpeg, colorimetry=bt709") == std::pair(kCentered, kCentered));
    const tvw::FrameView high = view_of("video/x-raw, format=NV12, width=1280, height=720");
    ck_assert(high.horizontal == kCosited && high.vertical == kCentered);
}
END_TEST

int main(int argc, char **argv) {
    gst_init(&argc, &argv);
    const int status = run_suite("frame view", {colours_are_those_of_gstreamers_own_converter,
                                                planes_lie_in_the_buffers_own_memory,
                                                chroma_sits_where_the_caps_say});
    gst_deinit(); // when the leak tracer reports
    return status;
}
