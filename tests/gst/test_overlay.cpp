// SPDX-License-Identifier: LGPL-2.1-or-later
// tvwoverlay: where it draws, and what it leaves alone. No model is needed for it.
#include "gst/frames.h"

using namespace tvw::test;

namespace {

constexpr char kFeatures[] = "(memory:SystemMemory, meta:GstVideoOverlayComposition)";
constexpr Picture kPicture = Picture::flat({90, 120, 60});
constexpr Layout kLayout{GST_VIDEO_FORMAT_RGB, 160, 120};

/// A result with that many classes, as an application of any language could write it.
void add_result(GstBuffer *buffer, int classes) {
    GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, "TvwClassificationMeta");
    ck_assert_ptr_nonnull(meta);
    GValue predictions = G_VALUE_INIT;
    gst_value_array_init(&predictions, guint(classes));
    for (int i = 0; i < classes; ++i) {
        GValue value = G_VALUE_INIT;
        g_value_init(&value, GST_TYPE_STRUCTURE);
        g_value_take_boxed(&value, gst_structure_new("prediction", "class-id", G_TYPE_INT, i,
                                                     "label", G_TYPE_STRING, i == 0 ? "cat" : "",
                                                     "probability", G_TYPE_DOUBLE, 0.5, nullptr));
        gst_value_array_append_and_take_value(&predictions, &value);
    }
    gst_structure_take_value(gst_custom_meta_get_structure(meta), "predictions", &predictions);
}

Buffer labelled_frame(const Layout &layout, int classes = 3) {
    Buffer frame = make_frame(kPicture, layout);
    add_result(frame.get(), classes);
    return frame;
}

/// Bytes that differ between two buffers of one size.
int changed_bytes(GstBuffer *a, GstBuffer *b) {
    const std::string first = bytes_of(a);
    const std::string second = bytes_of(b);
    ck_assert_uint_eq(first.size(), second.size());
    int count = 0;
    for (size_t i = 0; i < first.size(); ++i)
        count += first[i] != second[i] ? 1 : 0;
    return count;
}

/// How many bytes the labels change in a frame.
int drawn_bytes(const Layout &layout, int classes, const Settings &settings = {}) {
    Stage stage("tvwoverlay", settings);
    stage.set_caps(layout.caps());
    const Buffer result = stage.run(labelled_frame(layout, classes));
    return changed_bytes(result.get(), make_frame(kPicture, layout).get());
}

guint rectangles_on(GstBuffer *buffer) {
    const auto *meta = gst_buffer_get_video_overlay_composition_meta(buffer);
    return meta ? gst_video_overlay_composition_n_rectangles(meta->overlay) : 0;
}

std::string caps_with_feature() {
    std::string caps = kLayout.caps();
    return caps.insert(caps.find(','), kFeatures);
}

/// An overlay before an element that draws compositions, if `draws`, and else only says so.
std::unique_ptr<Stage> before_drawer(bool draws) {
    auto stage = std::make_unique<Stage>("tvwoverlay");
    if (draws) {
        gst_harness_add_propose_allocation_meta(
            stage->harness(), GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, nullptr);
    }
    gst_harness_set_sink_caps_str(stage->harness(), caps_with_feature().c_str());
    stage->set_caps(kLayout.caps());
    return stage;
}

} // namespace

START_TEST(labels_change_the_picture_of_every_format) {
    for (const GstVideoFormat format : kFormats) {
        if (takes_overlays(format))
            ck_assert_int_gt(drawn_bytes({format, 160, 120}, 3), 100);
    }
    ck_assert_int_gt(drawn_bytes({GST_VIDEO_FORMAT_Y444, 161, 121}, 3), 100);
    ck_assert_int_gt(drawn_bytes({GST_VIDEO_FORMAT_NV12, 161, 121}, 3), 100);
}
END_TEST

START_TEST(frames_smaller_than_their_labels_are_drawn_on) {
    for (const GstVideoFormat format : kFormats) {
        if (takes_overlays(format))
            drawn_bytes({format, 5, 3}, 3);
    }
}
END_TEST

START_TEST(padding_between_rows_is_left_alone) {
    Stage stage("tvwoverlay");
    const Layout layout{GST_VIDEO_FORMAT_I420, 160, 120};
    stage.set_caps(layout.caps());
    Buffer padded = with_padding(make_frame(kPicture, layout), layout, 8);
    add_result(padded.get(), 3);
    const Buffer result = stage.run(std::move(padded));
    const Buffer expected = with_padding(stage.run(labelled_frame(layout)), layout, 8);
    ck_assert_int_eq(changed_bytes(result.get(), expected.get()), 0);
}
END_TEST

START_TEST(more_labels_and_larger_fonts_cover_more) {
    const int one = drawn_bytes(kLayout, 1);
    ck_assert_int_gt(drawn_bytes(kLayout, 3), one);
    ck_assert_int_eq(drawn_bytes(kLayout, 3, {{"labels", "1"}}), one);
    ck_assert_int_eq(drawn_bytes(kLayout, 5), drawn_bytes(kLayout, 3));
    ck_assert_int_gt(drawn_bytes(kLayout, 1, {{"font-desc", "Sans 20"}}), one);
}
END_TEST

START_TEST(frames_without_labels_pass_unchanged) {
    ck_assert_int_eq(drawn_bytes(kLayout, 0), 0);
    Stage stage("tvwoverlay");
    stage.set_caps(kLayout.caps());
    const Buffer frame = make_frame(kPicture, kLayout);
    const Buffer result = stage.run(Buffer(gst_buffer_ref(frame.get())));
    ck_assert_int_eq(changed_bytes(result.get(), frame.get()), 0);
}
END_TEST

START_TEST(a_shared_picture_is_copied_before_it_is_drawn_on) {
    Stage stage("tvwoverlay");
    stage.set_caps(kLayout.caps());
    const Buffer frame = labelled_frame(kLayout);
    const Buffer result = stage.run(Buffer(gst_buffer_ref(frame.get())));
    ck_assert_int_gt(changed_bytes(result.get(), frame.get()), 100);
    ck_assert_int_eq(changed_bytes(frame.get(), make_frame(kPicture, kLayout).get()), 0);
}
END_TEST

START_TEST(where_downstream_draws_the_labels_travel_as_metadata) {
    const auto stage = before_drawer(true);
    const Buffer result = stage->run(labelled_frame(kLayout));
    ck_assert_uint_eq(rectangles_on(result.get()), 1);
    ck_assert_int_eq(changed_bytes(result.get(), make_frame(kPicture, kLayout).get()), 0);
}
END_TEST

START_TEST(where_downstream_does_not_draw_the_labels_are_drawn_here) {
    const auto stage = before_drawer(false);
    const Buffer result = stage->run(labelled_frame(kLayout));
    ck_assert_uint_eq(rectangles_on(result.get()), 0);
    ck_assert_int_gt(changed_bytes(result.get(), make_frame(kPicture, kLayout).get()), 100);
}
END_TEST

START_TEST(labels_join_the_overlays_from_upstream) {
    const auto stage = before_drawer(true);
    const Buffer first = stage->run(labelled_frame(kLayout));
    const Buffer second = stage->run(Buffer(gst_buffer_copy(first.get())));
    ck_assert_uint_eq(rectangles_on(second.get()), 2);
    ck_assert_uint_eq(rectangles_on(first.get()), 1);
}
END_TEST

START_TEST(overlays_from_upstream_are_never_dropped) {
    Stage stage("tvwoverlay");
    gst_harness_set_sink_caps_str(stage.harness(), kLayout.caps().c_str());
    const Owned<GstCaps> with(gst_caps_from_string(caps_with_feature().c_str()));
    const Owned<GstCaps> without(gst_caps_from_string(kLayout.caps().c_str()));
    const Owned<GstCaps> taken(gst_pad_peer_query_caps(stage.harness()->srcpad, nullptr));
    ck_assert(!gst_caps_can_intersect(taken.get(), with.get()));
    ck_assert(gst_caps_can_intersect(taken.get(), without.get()));
}
END_TEST

START_TEST(downstream_that_draws_needs_no_overlays_from_upstream) {
    const auto stage = before_drawer(true);
    const Owned<GstCaps> without(gst_caps_from_string(kLayout.caps().c_str()));
    const Owned<GstCaps> taken(gst_pad_peer_query_caps(stage->harness()->srcpad, nullptr));
    ck_assert(gst_caps_can_intersect(taken.get(), without.get()));
}
END_TEST

START_TEST(upstream_is_not_offered_to_crop_by_metadata) {
    Stage stage("tvwoverlay");
    for (const GType api : {GST_VIDEO_META_API_TYPE, GST_VIDEO_CROP_META_API_TYPE})
        gst_harness_add_propose_allocation_meta(stage.harness(), api, nullptr);
    stage.set_caps(kLayout.caps());
    const Owned<GstCaps> caps(gst_caps_from_string(kLayout.caps().c_str()));
    const Owned<GstQuery> query(gst_query_new_allocation(caps.get(), TRUE));
    ck_assert(gst_pad_peer_query(stage.harness()->srcpad, query.get()));
    ck_assert(gst_query_find_allocation_meta(query.get(), GST_VIDEO_META_API_TYPE, nullptr));
    ck_assert(!gst_query_find_allocation_meta(query.get(), GST_VIDEO_CROP_META_API_TYPE, nullptr));
}
END_TEST

START_TEST(caps_may_change_between_frames) {
    Stage stage("tvwoverlay");
    for (const Layout &layout : {kLayout, Layout{GST_VIDEO_FORMAT_NV12, 320, 240}, kLayout}) {
        stage.set_caps(layout.caps());
        const Buffer result = stage.run(labelled_frame(layout));
        ck_assert_int_gt(changed_bytes(result.get(), make_frame(kPicture, layout).get()), 100);
    }
}
END_TEST

int main() {
    return run_element_suite(
        "overlay",
        {labels_change_the_picture_of_every_format, frames_smaller_than_their_labels_are_drawn_on,
         padding_between_rows_is_left_alone, more_labels_and_larger_fonts_cover_more,
         frames_without_labels_pass_unchanged, a_shared_picture_is_copied_before_it_is_drawn_on,
         where_downstream_draws_the_labels_travel_as_metadata,
         where_downstream_does_not_draw_the_labels_are_drawn_here,
         labels_join_the_overlays_from_upstream, overlays_from_upstream_are_never_dropped,
         downstream_that_draws_needs_no_overlays_from_upstream,
         upstream_is_not_offered_to_crop_by_metadata, caps_may_change_between_frames});
}
