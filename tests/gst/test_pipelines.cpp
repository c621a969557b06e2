// SPDX-License-Identifier: LGPL-2.1-or-later
// tvwclassify among other elements, and more than once in a process.
#include "gst/frames.h"
#include "gst/results.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>

using namespace std::string_literals;
using namespace tvw::test;

namespace {

constexpr GstClockTime kPatience = 30 * GST_SECOND;
/// Frames of one colour, "red" or "white": the answers differ.
std::string source(const std::string &pattern, int frames = 4) {
    return "videotestsrc num-buffers=" + std::to_string(frames) + " pattern=" + pattern +
           " ! video/x-raw, width=48, height=40, format=RGB";
}

std::string classified(const std::string &source) {
    return source + " ! tvwclassify top-k=10 weights=" + model_file("model.json");
}

/// A pipeline from its description; the result of each buffer is kept by the sink it ended in.
class Pipeline {
public:
    explicit Pipeline(const std::string &description) {
        GError *error = nullptr;
        pipeline_.reset(gst_parse_launch(description.c_str(), &error));
        const Owned<GError> owned_error(error);
        ck_assert_msg(error == nullptr, "%s", error != nullptr ? error->message : "");
        gst_object_ref_sink(pipeline_.get());
        GstIterator *sinks = gst_bin_iterate_sinks(GST_BIN(pipeline_.get()));
        gst_iterator_foreach(sinks, listen, this);
        gst_iterator_free(sinks);
    }
    ~Pipeline() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }
    Pipeline(const Pipeline &) = delete;
    Pipeline &operator=(const Pipeline &) = delete;

    GstElement *get() { return pipeline_.get(); }
    void play() { gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING); }

    /// The end of the stream or the first error: the error's text, or "".
    std::string wait() {
        const Owned<GstBus> bus(gst_element_get_bus(pipeline_.get()));
        const Owned<GstMessage> message(gst_bus_timed_pop_filtered(
            bus.get(), kPatience, GstMessageType(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
        ck_assert_msg(message != nullptr, "no end of the stream");
        if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS)
            return "";
        GError *error = nullptr;
        gst_message_parse_error(message.get(), &error, nullptr);
        return Owned<GError>(error)->message;
    }

    /// What a sink of that name has seen: one entry for each buffer.
    std::vector<std::optional<Result>> seen_by(const std::string &sink) {
        const std::lock_guard lock(mutex_);
        return seen_[sink];
    }

private:
    static void listen(const GValue *value, gpointer self) {
        auto *sink = GST_ELEMENT(g_value_get_object(value));
        g_object_set(sink, "signal-handoffs", TRUE, "sync", FALSE, nullptr);
        g_signal_connect(sink, "handoff", G_CALLBACK(take), self);
    }
    static void take(GstElement *sink, GstBuffer *buffer, GstPad *, Pipeline *self) {
        const auto result = result_on(Buffer(gst_buffer_ref(buffer)));
        const std::lock_guard lock(self->mutex_);
        self->seen_[GST_OBJECT_NAME(sink)].push_back(result);
    }

    Owned<GstElement> pipeline_;
    std::mutex mutex_;
    std::map<std::string, std::vector<std::optional<Result>>> seen_;
};

/// Four results at the sink, all of them the same; answers one.
Result need_four(Pipeline &pipeline, const std::string &sink) {
    const auto seen = pipeline.seen_by(sink);
    ck_assert_uint_eq(seen.size(), 4);
    for (const auto &result : seen)
        ck_assert(result.has_value() && distance(*result, *seen.front()) == 0);
    return seen.front().value_or(Result());
}

Result answer_of(const std::string &description) {
    Pipeline pipeline(description + " ! fakesink name=end");
    pipeline.play();
    assert_text(pipeline.wait(), "");
    return need_four(pipeline, "end");
}

} // namespace

START_TEST(results_survive_what_stands_behind) {
    const Result expected = answer_of(classified(source("red")));
    for (const std::string element :
         {" ! queue", " ! videoconvert ! video/x-raw, format=NV12",
          " ! videoscale ! video/x-raw, width=20", " ! videoflip method=clockwise",
          " ! videocrop left=4", " ! identity drop-allocation=true"}) {
        ck_assert_double_eq(distance(answer_of(classified(source("red")) + element), expected), 0);
    }
}
END_TEST

START_TEST(results_go_down_every_branch_behind_and_none_beside) {
    Pipeline pipeline(classified(source("red") + " ! tee name=before before. ! queue") +
                      " ! tee name=behind behind. ! queue ! fakesink name=first async=false"
                      " behind. ! queue ! fakesink name=second async=false"
                      " before. ! queue ! fakesink name=beside async=false");
    pipeline.play();
    assert_text(pipeline.wait(), "");
    ck_assert_double_eq(distance(need_four(pipeline, "first"), need_four(pipeline, "second")), 0);
    const auto beside = pipeline.seen_by("beside");
    ck_assert_uint_eq(beside.size(), 4);
    ck_assert(std::ranges::none_of(beside, [](const auto &seen) { return seen.has_value(); }));
}
END_TEST

START_TEST(streams_at_once_do_not_mix_their_results) {
    const Result red = answer_of(classified(source("red")));
    const Result white = answer_of(classified(source("white")));
    ck_assert_double_gt(distance(red, white), 0.1);
    Pipeline together(classified(source("red")) + " ! fakesink name=red async=false " +
                      classified(source("white")) + " ! fakesink name=white async=false");
    Pipeline apart(classified(source("red")) + " ! fakesink name=end");
    together.play();
    apart.play();
    assert_text(together.wait(), "");
    assert_text(apart.wait(), "");
    ck_assert_double_eq(distance(need_four(together, "red"), red), 0);
    ck_assert_double_eq(distance(need_four(together, "white"), white), 0);
    ck_assert_double_eq(distance(need_four(apart, "end"), red), 0);
}
END_TEST

START_TEST(one_pipeline_runs_again_and_again) {
    Pipeline pipeline(classified(source("red")) + " ! fakesink name=end");
    for (size_t run = 1; run <= 5; ++run) {
        pipeline.play();
        assert_text(pipeline.wait(), "");
        gst_element_set_state(pipeline.get(), GST_STATE_NULL);
        ck_assert_uint_eq(pipeline.seen_by("end").size(), 4 * run);
    }
}
END_TEST

START_TEST(an_error_of_the_element_stops_the_pipeline) {
    Pipeline pipeline(source("red") + " ! tvwclassify weights=nowhere ! fakesink name=end");
    pipeline.play();
    ck_assert(contains(pipeline.wait(), "nowhere"));
}
END_TEST

START_TEST(a_pipeline_is_stopped_while_it_starts_or_plays) {
    for (const int delay_ms : {0, 1, 5, 20, 100}) {
        Pipeline pipeline(classified(source("red", -1)) + " ! fakesink name=end");
        std::thread starter([&] { pipeline.play(); });
        std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
        gst_element_set_state(pipeline.get(), GST_STATE_NULL);
        starter.join();
    }
}
END_TEST

START_TEST(repeated_seeks_leave_the_stream_whole) {
    Pipeline pipeline(classified(source("red", 4000)) + " ! queue ! fakesink name=end");
    gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
    ck_assert_int_eq(gst_element_get_state(pipeline.get(), nullptr, nullptr, kPatience),
                     GST_STATE_CHANGE_SUCCESS);
    for (int i = 0; i < 20; ++i) {
        ck_assert(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                          gint64(GST_SECOND)));
        pipeline.play();
        gst_element_get_state(pipeline.get(), nullptr, nullptr, kPatience);
    }
    const auto seen = pipeline.seen_by("end");
    ck_assert(!seen.empty());
    ck_assert(std::ranges::all_of(seen, [](const auto &result) { return result.has_value(); }));
}
END_TEST

START_TEST(every_format_goes_straight_in) {
    const Result rgb = answer_of(classified(source("red")));
    for (const GstVideoFormat format : kFormats) {
        const std::string caps = " ! video/x-raw, format="s + gst_video_format_to_string(format);
        const Result result = answer_of("videotestsrc num-buffers=4 pattern=red" + caps +
                                        classified(", width=48, height=40") + caps);
        // There is no converter, so it stood for the format's own frames; grey ones are not red.
        ck_assert_msg(distance(result, rgb) <= 0.06 || format == GST_VIDEO_FORMAT_GRAY8, "%s: %f",
                      gst_video_format_to_string(format), distance(result, rgb));
    }
}
END_TEST

int main() {
    return run_element_suite(
        "pipelines",
        {every_format_goes_straight_in, results_survive_what_stands_behind,
         results_go_down_every_branch_behind_and_none_beside,
         streams_at_once_do_not_mix_their_results, one_pipeline_runs_again_and_again,
         an_error_of_the_element_stops_the_pipeline, a_pipeline_is_stopped_while_it_starts_or_plays,
         repeated_seeks_leave_the_stream_whole});
}
