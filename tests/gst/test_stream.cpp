// SPDX-License-Identifier: LGPL-2.1-or-later
// tvwclassify over time: intervals, gaps, flushes, changes of caps and properties, starts and
// stops.
#include "gst/frames.h"
#include "gst/results.h"

using namespace tvw::test;

namespace {

constexpr GstClockTime kFrame = 40 * GST_MSECOND;
constexpr Layout kLayout;
constexpr Picture kPicture{kWhite, kRed};

/// A stage that is fed with one frame after the other.
class Stream : public Stage {
public:
    Stream() : Stage("tvwclassify", with_model()) { set_caps(kLayout.caps()); }
    explicit Stream(const Settings::value_type &setting)
        : Stage("tvwclassify", with_model({setting})) {
        set_caps(kLayout.caps());
    }

    Buffer next_frame() { return make_frame(kPicture, kLayout, kFrame * count_++); }
    Buffer next() { return run(next_frame()); }
    Buffer next_gap() {
        Buffer frame = next_frame();
        GST_BUFFER_FLAG_SET(frame.get(), GST_BUFFER_FLAG_GAP);
        return run(std::move(frame));
    }
    void send(GstEvent *event) { ck_assert(gst_harness_push_event(harness(), event)); }

private:
    guint count_ = 0;
};

void assert_result(const Buffer &buffer, guint age, GstClockTime pts) {
    const Result result = need_result(buffer);
    ck_assert_uint_eq(result.age, age);
    ck_assert_uint_eq(result.pts, pts);
}

} // namespace

START_TEST(between_inferences_the_last_result_is_repeated_with_its_age) {
    Stream stream({"inference-interval", "3"});
    for (guint i = 0; i < 7; ++i)
        assert_result(stream.next(), i % 3, kFrame * (i - i % 3));
}
END_TEST

START_TEST(a_message_tells_of_inferred_frames_only) {
    Stream stream({"inference-interval", "3"});
    for (int i = 0; i < 7; ++i)
        stream.next();
    const auto results = posted_results(stream.bus());
    ck_assert_uint_eq(results.size(), 3);
    for (guint i = 0; i < 3; ++i) {
        ck_assert_uint_eq(results[i].age, 0);
        ck_assert_uint_eq(results[i].pts, i * (3 * kFrame));
    }
}
END_TEST

START_TEST(a_gap_repeats_the_last_result_and_is_not_inferred) {
    Stream stream({"inference-interval", "2"});
    ck_assert(!result_on(stream.next_gap()).has_value());
    assert_result(stream.next(), 0, kFrame);
    for (guint age = 1; age < 4; ++age)
        assert_result(stream.next_gap(), age, kFrame);
    assert_result(stream.next(), 0, 5 * kFrame);
    ck_assert_uint_eq(posted_results(stream.bus()).size(), 2);
}
END_TEST

START_TEST(after_a_seek_no_result_from_before_it_is_repeated) {
    Stream stream({"inference-interval", "100"});
    stream.next();
    stream.send(gst_event_new_flush_start());
    stream.send(gst_event_new_flush_stop(TRUE));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    stream.send(gst_event_new_segment(&segment));
    assert_result(stream.next(), 0, kFrame);
    assert_result(stream.next(), 1, kFrame);
    stream.send(gst_event_new_segment(&segment));
    assert_result(stream.next(), 0, 3 * kFrame);
}
END_TEST

START_TEST(caps_may_change_between_frames) {
    Stage stage("tvwclassify", with_model({{"inference-interval", "100"}}));
    const std::array layouts = {Layout{GST_VIDEO_FORMAT_RGB, 48, 40},
                                Layout{GST_VIDEO_FORMAT_NV12, 64, 36},
                                Layout{GST_VIDEO_FORMAT_GRAY8, 7, 99}};
    for (const Layout &layout : layouts) {
        stage.set_caps(layout.caps());
        assert_result(stage.run(make_frame(kPicture, layout, kFrame)), 0, kFrame);
        assert_result(stage.run(make_frame(kPicture, layout, 2 * kFrame)), 1, kFrame);
    }
    ck_assert(stage.bus().errors().empty());
}
END_TEST

START_TEST(what_is_mutable_in_playing_counts_from_the_next_frame) {
    Stream stream;
    ck_assert_uint_eq(need_result(stream.next()).predictions.size(), 5);
    set(stream.element(), "top-k", "2");
    const Result best = need_result(stream.next());
    ck_assert_uint_eq(best.predictions.size(), 2);
    set(stream.element(), "threshold", std::to_string(best.predictions[1].probability + 1e-3));
    ck_assert_uint_eq(need_result(stream.next()).predictions.size(), 1);
    set(stream.element(), "inference-interval", "2");
    ck_assert_uint_eq(need_result(stream.next()).age, 1);
}
END_TEST

START_TEST(a_result_in_which_no_class_reaches_the_threshold_is_empty) {
    Stream stream({"threshold", "1"});
    const Buffer buffer = stream.next();
    ck_assert(need_result(buffer).predictions.empty());
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer.get(), "TvwClassificationMeta");
    ck_assert(!gst_structure_has_field(gst_custom_meta_get_structure(meta), "label"));
    ck_assert(!gst_structure_has_field(gst_custom_meta_get_structure(meta), "probability"));
    ck_assert_uint_eq(posted_results(stream.bus()).size(), 1);
}
END_TEST

START_TEST(a_frame_without_a_time_has_a_result_without_one) {
    Stream stream;
    assert_result(stream.run(make_frame(kPicture, kLayout, GST_CLOCK_TIME_NONE)), 0,
                  GST_CLOCK_TIME_NONE);
}
END_TEST

START_TEST(the_end_of_the_stream_passes_behind_the_last_frame) {
    Stream stream;
    stream.next();
    stream.send(gst_event_new_eos());
    bool ended = false;
    while (GstEvent *event = gst_harness_try_pull_event(stream.harness())) {
        ended = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
        gst_event_unref(event);
    }
    ck_assert(ended);
}
END_TEST

START_TEST(upstream_is_offered_what_downstream_takes) {
    Stage stage("tvwclassify", with_model());
    gst_harness_add_propose_allocation_meta(stage.harness(), GST_VIDEO_META_API_TYPE, nullptr);
    stage.set_caps(kLayout.caps());
    const Owned<GstCaps> caps(gst_caps_from_string(kLayout.caps().c_str()));
    const Owned<GstQuery> query(gst_query_new_allocation(caps.get(), TRUE));
    ck_assert(gst_pad_peer_query(stage.harness()->srcpad, query.get()));
    ck_assert(gst_query_find_allocation_meta(query.get(), GST_VIDEO_META_API_TYPE, nullptr));
}
END_TEST

START_TEST(an_answer_that_is_no_number_is_one_warning_and_the_stream_goes_on) {
    Stream stream({"checkpoint", model_file("overflow.safetensors")});
    for (int i = 0; i < 3; ++i)
        ck_assert(!result_on(stream.next()).has_value());
    const auto warnings = stream.bus().warnings();
    ck_assert_uint_eq(warnings.size(), 1);
    ck_assert(contains(warnings[0].text, "NaN"));
    ck_assert(stream.bus().errors().empty());
    ck_assert(posted_results(stream.bus()).empty());
}
END_TEST

START_TEST(a_buffer_that_holds_no_frame_is_an_error_that_gives_its_size) {
    Stream stream;
    Buffer small(gst_buffer_new_allocate(nullptr, 7, nullptr));
    ck_assert_int_eq(gst_harness_push(stream.harness(), small.release()), GST_FLOW_ERROR);
    const auto errors = stream.bus().errors();
    ck_assert_uint_eq(errors.size(), 1);
    ck_assert(errors[0].domain == GST_STREAM_ERROR && errors[0].code == GST_STREAM_ERROR_FAILED);
    ck_assert(contains(errors[0].text, "7 bytes") && contains(errors[0].text, "48x40"));
}
END_TEST

START_TEST(it_starts_and_stops_fifty_times) {
    const auto element = make_element("tvwclassify", with_model());
    Bus bus(element.get());
    for (int i = 0; i < 50; ++i) {
        ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_PLAYING),
                         GST_STATE_CHANGE_SUCCESS);
        ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_NULL),
                         GST_STATE_CHANGE_SUCCESS);
    }
    ck_assert(bus.errors().empty());
}
END_TEST

START_TEST(a_second_start_begins_a_new_stream) {
    Stream stream({"inference-interval", "100"});
    stream.next();
    gst_element_set_state(stream.element(), GST_STATE_READY);
    set(stream.element(), "top-k", "1");
    gst_element_set_state(stream.element(), GST_STATE_PLAYING);
    stream.set_caps(kLayout.caps());
    const Buffer buffer = stream.next();
    assert_result(buffer, 0, kFrame);
    ck_assert_uint_eq(need_result(buffer).predictions.size(), 1);
}
END_TEST

int main() {
    return run_element_suite(
        "stream",
        {between_inferences_the_last_result_is_repeated_with_its_age,
         a_message_tells_of_inferred_frames_only, a_gap_repeats_the_last_result_and_is_not_inferred,
         after_a_seek_no_result_from_before_it_is_repeated, caps_may_change_between_frames,
         what_is_mutable_in_playing_counts_from_the_next_frame,
         a_result_in_which_no_class_reaches_the_threshold_is_empty,
         a_frame_without_a_time_has_a_result_without_one,
         the_end_of_the_stream_passes_behind_the_last_frame,
         upstream_is_offered_what_downstream_takes,
         an_answer_that_is_no_number_is_one_warning_and_the_stream_goes_on,
         a_buffer_that_holds_no_frame_is_an_error_that_gives_its_size,
         it_starts_and_stops_fifty_times, a_second_start_begins_a_new_stream});
}
