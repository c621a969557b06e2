// SPDX-License-Identifier: LGPL-2.1-or-later
// How a buffer becomes the frame that is preprocessed: where its planes lie, what its caps say.
#include "../../gst/video_frame_view.h"

#include "gst/frames.h"

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

} // namespace

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
    return run_suite("frame view",
                     {planes_lie_in_the_buffers_own_memory, chroma_sits_where_the_caps_say});
}
