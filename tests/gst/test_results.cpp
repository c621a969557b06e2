// SPDX-License-Identifier: LGPL-2.1-or-later
// What tvwclassify says of one frame: the fields, and that it sees the frame as it is.
#include "gst/frames.h"
#include "gst/results.h"

#include <tvw/checkpoint.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

using namespace std::string_literals;
using namespace tvw::test;

namespace {

// What rounding to other formats may change, and what different pictures at least do.
constexpr double kSame = 0.06;
constexpr double kDifferent = 0.2;

constexpr Picture kPicture{kWhite, kRed};

/// An element that tells the probabilities of all classes.
class Witness {
public:
    Result answer_to(Buffer frame, const std::string &caps) {
        stage_.set_caps(caps);
        return need_result(stage_.run(std::move(frame)));
    }
    Result answer_to(const Picture &picture, const Layout &layout) {
        return answer_to(make_frame(picture, layout), layout.caps());
    }

private:
    Stage stage_{"tvwclassify", with_model({{"top-k", "10"}})};
};

std::set<std::string> field_names(const GstStructure *structure) {
    std::set<std::string> names;
    for (gint i = 0; i < gst_structure_n_fields(structure); ++i)
        names.insert(gst_structure_nth_field_name(structure, guint(i)));
    return names;
}

int count_results(GstBuffer *buffer) {
    int count = 0;
    gpointer state = nullptr;
    while (const GstMeta *meta = gst_buffer_iterate_meta(buffer, &state))
        count += meta->info == gst_meta_get_info("TvwClassificationMeta") ? 1 : 0;
    return count;
}

void assert_documented(const GstStructure *structure) {
    ck_assert((field_names(structure) == std::set{"weights"s, "digest"s, "pts"s, "age"s, "label"s,
                                                  "probability"s, "predictions"s}));
    const Result result = read_result(structure);
    assert_text(result.weights, "model");
    assert_text(result.digest, tvw::load_checkpoint(model_file("model.safetensors")).digest);
    ck_assert_uint_eq(result.pts, 40 * GST_MSECOND);
    ck_assert_uint_eq(result.age, 0);
    ck_assert_uint_eq(result.predictions.size(), 5);
    gdouble best = 0;
    ck_assert(gst_structure_get_double(structure, "probability", &best));
    ck_assert_double_eq(best, result.predictions.front().probability);
    assert_text(gst_structure_get_string(structure, "label"), result.predictions.front().label);
}

} // namespace

START_TEST(metadata_and_message_have_the_documented_fields) {
    Stage stage("tvwclassify", with_model());
    const Layout layout;
    stage.set_caps(layout.caps());
    const Buffer buffer = stage.run(make_frame(kPicture, layout, 40 * GST_MSECOND));
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer.get(), "TvwClassificationMeta");
    ck_assert_ptr_nonnull(meta);
    assert_documented(gst_custom_meta_get_structure(meta));
    const auto messages = stage.bus().take(GST_MESSAGE_ELEMENT);
    ck_assert_uint_eq(messages.size(), 1);
    ck_assert(gst_message_has_name(messages[0].get(), "tvw-classification"));
    ck_assert_ptr_eq(GST_MESSAGE_SRC(messages[0].get()), stage.element());
    assert_documented(gst_message_get_structure(messages[0].get()));
}
END_TEST

START_TEST(predictions_are_sorted_probabilities) {
    Witness witness;
    const auto predictions = witness.answer_to(kPicture, {}).predictions;
    ck_assert_uint_eq(predictions.size(), 10);
    ck_assert(std::ranges::is_sorted(predictions, std::greater(), &Guess::probability));
    const double sum = std::accumulate(
        predictions.begin(), predictions.end(), 0.0,
        [](double so_far, const Guess &guess) { return so_far + guess.probability; });
    ck_assert_double_eq_tol(sum, 1, 1e-9);
}
END_TEST

START_TEST(colours_are_told_apart) {
    Witness witness;
    const Result red = witness.answer_to(Picture::flat(kRed), {});
    ck_assert_double_gt(distance(red, witness.answer_to(Picture::flat(kBlue), {})), kDifferent);
    ck_assert_double_gt(distance(red, witness.answer_to(Picture::flat(kWhite), {})), kDifferent);
}
END_TEST

START_TEST(every_format_gives_the_answer_of_rgb) {
    Witness witness;
    for (const Colour colour : {kRed, kBlue, kWhite}) {
        const Picture picture = Picture::flat(colour);
        const Result rgb = witness.answer_to(picture, {});
        for (const GstVideoFormat format : kFormats) {
            const bool grey = format == GST_VIDEO_FORMAT_GRAY8;
            const double difference = distance(witness.answer_to(picture, {format}), rgb);
            ck_assert_msg(difference <= kSame || (grey && colour.red != colour.blue), "%s: %f",
                          gst_video_format_to_string(format), difference);
        }
    }
}
END_TEST

START_TEST(frames_of_odd_size_are_read_to_their_edges) {
    Witness witness;
    const Result rgb = witness.answer_to(kPicture, {GST_VIDEO_FORMAT_RGB, 49, 33});
    for (const GstVideoFormat format : {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420}) {
        ck_assert_double_le(distance(witness.answer_to(kPicture, {format, 49, 33}), rgb),
                            2 * kSame);
    }
    for (const GstVideoFormat format : kFormats)
        witness.answer_to(kPicture, {format, 1, 1});
}
END_TEST

START_TEST(padded_rows_give_the_answer_of_tight_ones) {
    Witness witness;
    for (const GstVideoFormat format : kFormats) {
        const bool packed_yuv = format == GST_VIDEO_FORMAT_YUY2 || format == GST_VIDEO_FORMAT_UYVY;
        // GStreamer copies but half of the last two pixels where these share a width that is odd.
        for (const int width : {48, packed_yuv ? 38 : 37}) {
            const Layout layout{format, width, 41};
            const Buffer tight = make_frame(kPicture, layout);
            const Result result = witness.answer_to(with_padding(tight, layout, 6), layout.caps());
            ck_assert_double_eq(distance(result, witness.answer_to(kPicture, layout)), 0);
        }
    }
}
END_TEST

START_TEST(colorimetry_of_the_caps_is_honoured) {
    Witness witness;
    const Picture picture = Picture::flat(kRed);
    const Result rgb = witness.answer_to(picture, {});
    for (const char *colorimetry : {"bt601", "bt709", "bt2020", "1:4:16:4"}) {
        for (const GstVideoFormat format : {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420}) {
            const Layout layout{format, 48, 40, colorimetry};
            ck_assert_double_le(distance(witness.answer_to(picture, layout), rgb), kSame);
        }
    }
    const Layout standard{GST_VIDEO_FORMAT_I420, 48, 40, "bt601"};
    const Layout other{GST_VIDEO_FORMAT_I420, 48, 40, "1:3:5:1"};
    ck_assert_double_gt(
        distance(witness.answer_to(make_frame(picture, standard), other.caps()), rgb), kSame);
}
END_TEST

START_TEST(what_the_caps_leave_open_is_as_usual_for_the_format_and_size) {
    Witness witness;
    for (const GstVideoFormat format : {GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_GRAY8}) {
        for (const int height : {40, 720}) {
            const Layout layout{format, 48, height};
            const std::string caps =
                "video/x-raw, width=48, framerate=25/1, height=" + std::to_string(height) +
                ", format=" + gst_video_format_to_string(format);
            const Result usual = witness.answer_to(kPicture, layout);
            // Nothing, all of it unknown, and only the range unknown.
            const char *matrix = height == 40 ? "0:4:0:0" : "0:3:0:0";
            for (const std::string colorimetry : {"", "0:0:0:0", matrix}) {
                const std::string end = colorimetry.empty() ? "" : ", colorimetry=" + colorimetry;
                const auto result = witness.answer_to(make_frame(kPicture, layout), caps + end);
                ck_assert_double_eq(distance(result, usual), 0);
            }
        }
    }
}
END_TEST

START_TEST(what_is_cropped_away_is_not_seen) {
    Witness witness;
    const Layout layout{GST_VIDEO_FORMAT_RGB, 64, 40};
    const Layout part{GST_VIDEO_FORMAT_RGB, 20, 32};
    Buffer cropped = make_frame(kPicture, layout);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(cropped.get());
    crop->x = 41;
    crop->y = 3;
    crop->width = guint(part.width);
    crop->height = guint(part.height);
    // The same pixels as a frame of their own, whose rows are as far apart as those of the whole.
    Buffer alone = make_frame(kPicture, layout);
    gint stride[] = {layout.width * 3};
    gsize offset[] = {gsize(crop->y) * gsize(stride[0]) + gsize(crop->x) * 3};
    gst_buffer_add_video_meta_full(alone.get(), GST_VIDEO_FRAME_FLAG_NONE, part.format, crop->width,
                                   crop->height, 1, offset, stride);
    const Result expected = witness.answer_to(std::move(alone), part.caps());
    ck_assert_double_eq(distance(witness.answer_to(std::move(cropped), layout.caps()), expected),
                        0);
    ck_assert_double_gt(distance(witness.answer_to(kPicture, layout), expected), kSame);
}
END_TEST

START_TEST(the_picture_is_left_alone_and_shared_buffers_get_no_metadata) {
    Stage stage("tvwclassify", with_model());
    const Layout layout{GST_VIDEO_FORMAT_NV12};
    stage.set_caps(layout.caps());
    const Buffer frame = make_frame(kPicture, layout);
    const std::string before = bytes_of(frame.get());
    const Buffer result = stage.run(Buffer(gst_buffer_ref(frame.get())));
    ck_assert(result_on(result).has_value());
    ck_assert(!result_on(frame).has_value());
    ck_assert(bytes_of(result.get()) == before);
    ck_assert_ptr_eq(gst_buffer_peek_memory(result.get(), 0),
                     gst_buffer_peek_memory(frame.get(), 0));
}
END_TEST

START_TEST(a_result_from_upstream_is_replaced) {
    Stage stage("tvwclassify", with_model());
    stage.set_caps(Layout().caps());
    Buffer frame = make_frame(kPicture, {});
    for (int i = 0; i < 2; ++i)
        gst_buffer_add_custom_meta(frame.get(), "TvwClassificationMeta");
    const Buffer result = stage.run(std::move(frame));
    ck_assert_int_eq(count_results(result.get()), 1);
    need_result(result);
}
END_TEST

START_TEST(fast_preprocessing_gives_nearly_the_same_answer) {
    Stage fast("tvwclassify", with_model({{"top-k", "10"}, {"preprocess", "fast"}}));
    Witness witness;
    for (const GstVideoFormat format : kFormats) {
        const Layout layout{format, 49, 33};
        fast.set_caps(layout.caps());
        const Result result = need_result(fast.run(make_frame(kPicture, layout)));
        ck_assert_double_le(distance(result, witness.answer_to(kPicture, layout)), kSame);
    }
}
END_TEST

int main() {
    return run_element_suite(
        "results",
        {metadata_and_message_have_the_documented_fields, predictions_are_sorted_probabilities,
         colours_are_told_apart, every_format_gives_the_answer_of_rgb,
         frames_of_odd_size_are_read_to_their_edges,
         fast_preprocessing_gives_nearly_the_same_answer, padded_rows_give_the_answer_of_tight_ones,
         colorimetry_of_the_caps_is_honoured,
         what_the_caps_leave_open_is_as_usual_for_the_format_and_size,
         what_is_cropped_away_is_not_seen,
         the_picture_is_left_alone_and_shared_buffers_get_no_metadata,
         a_result_from_upstream_is_replaced});
}
