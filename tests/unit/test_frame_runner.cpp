// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames that a model takes are what Preprocessor makes of them, run as tensors are.
#include "support/random_frames.h"
#include "support/random_parameters.h"
#include "support/suite.h"

#include <tvw/engine.h>
#include <tvw/log.h>

#include <algorithm>
#include <list>
#include <string>
#include <vector>

using tvw::DType;
using tvw::ErrorKind;
using tvw::FrameInput;
using tvw::HostTensor;
using tvw::NamedTensor;
using tvw::PreprocessMode;
using tvw::test::contains;
using tvw::test::error_of;
using tvw::test::FrameBatch;
using tvw::test::Random;
using tvw::test::RandomFrame;

extern "C" tvw::EngineLibrary *tvw_engine_v1();

namespace {

constexpr int64_t kSide = 64;

unsigned seed() {
    static const unsigned value = tvw::test::printed_seed("frame runner");
    return value;
}

tvw::ImageClassification preset() {
    tvw::ImageClassification result;
    result.crop_size = {kSide};
    result.resize_size = {kSide + 8};
    return result;
}

std::unique_ptr<tvw::Engine> make_engine(int threads = 0) {
    tvw::EngineConfig config;
    config.threads = threads;
    config.builder = "mobilenet_v3_small";
    config.checkpoint =
        tvw::test::random_checkpoint(tvw_engine_v1()->parameters(config.builder, {}), 1);
    config.device = tvw::parse_device("cpu");
    return tvw_engine_v1()->create(config);
}

std::vector<float> values_of(const std::vector<NamedTensor> &outputs) {
    const auto values = outputs.front().tensor.values<float>();
    return {values.begin(), values.end()};
}

/// The same frames through a tensor of the caller's own.
std::vector<float> through_a_tensor(tvw::Engine &engine, PreprocessMode mode,
                                    const std::vector<FrameInput> &frames) {
    tvw::Preprocessor preprocessor(preset(), mode);
    HostTensor batch =
        HostTensor::zeros(DType::kFloat32, {int64_t(frames.size()), 3, kSide, kSide});
    const auto values = batch.mutable_values<float>();
    const size_t image = values.size() / frames.size();
    for (size_t i = 0; i < frames.size(); ++i)
        preprocessor.run(frames[i].frame, values.subspan(i * image, image), frames[i].region);
    return values_of(engine.run({{"input", batch}}));
}

/// Frames of any format.
FrameBatch random_batch(int count, Random &random) {
    FrameBatch batch;
    for (int i = 0; i < count; ++i)
        batch.add(tvw::test::kFormats[size_t(random.below(22))], random);
    return batch;
}

tvw::FrameView tiny_frame() {
    static const uint8_t pixel[3] = {};
    tvw::FrameView frame;
    frame.width = frame.height = 1;
    frame.planes[0] = {pixel, 3};
    return frame;
}

std::string failure_of(tvw::FrameRunner &runner, const std::vector<FrameInput> &frames) {
    std::vector<NamedTensor> outputs;
    const auto error = error_of([&] { runner.run(frames, outputs); });
    ck_assert(error && error->kind() == ErrorKind::kInvalidArgument);
    return error->what();
}

std::vector<std::string> logged;

} // namespace

START_TEST(frames_are_run_as_the_tensor_that_preprocessing_makes) {
    Random random(seed());
    const auto engine = make_engine();
    for (const PreprocessMode mode : {PreprocessMode::kExact, PreprocessMode::kFast}) {
        const auto runner = engine->frame_runner(preset(), mode);
        std::vector<NamedTensor> outputs;
        std::vector<float> before;
        for (const int count : {1, 1, 3, 2, 1}) {
            const FrameBatch batch = random_batch(count, random);
            runner->run(batch.inputs, outputs);
            const std::vector<float> values = values_of(outputs);
            ck_assert(values == through_a_tensor(*engine, mode, batch.inputs));
            ck_assert(values != before);
            before = values;
        }
    }
}
END_TEST

START_TEST(threads_that_share_a_large_frame_make_the_same_of_it) {
    Random random(seed());
    for (const int threads : {1, 2, 3, 8}) {
        const auto engine = make_engine(threads);
        const auto runner = engine->frame_runner(preset(), PreprocessMode::kExact);
        for (int round = 0; round < 4; ++round) {
            const auto &layout = tvw::test::kFormats[size_t(random.below(22))];
            const RandomFrame frame(layout, random, 900 + random.below(600),
                                    500 + random.below(600));
            const std::vector<FrameInput> frames = {
                {frame.view()}, {frame.view(), tvw::test::random_region(frame.view(), random)}};
            std::vector<NamedTensor> outputs;
            runner->run(frames, outputs);
            ck_assert(values_of(outputs) ==
                      through_a_tensor(*engine, PreprocessMode::kExact, frames));
        }
    }
}
END_TEST

START_TEST(a_large_frame_that_cannot_be_read_is_refused_by_all_threads) {
    const auto engine = make_engine(2);
    const auto runner = engine->frame_runner(preset(), PreprocessMode::kExact);
    tvw::FrameView frame = tiny_frame();
    frame.width = frame.height = 2000;
    frame.planes[0].stride = 3; // shorter than a row
    ck_assert(!failure_of(*runner, {{frame}}).empty());
}
END_TEST

START_TEST(presets_without_a_crop_make_images_of_the_frame_s_size) {
    Random random(seed());
    const auto engine = make_engine();
    const auto runner = engine->frame_runner(tvw::ObjectDetection{}, PreprocessMode::kExact);
    std::vector<NamedTensor> outputs;
    for (const int width : {40, 33, 40}) {
        const RandomFrame frame(tvw::test::kFormats[0], random, width, 36);
        const FrameInput input = {frame.view()};
        runner->run({&input, 1}, outputs);
        HostTensor image = HostTensor::zeros(DType::kFloat32, {1, 3, 36, width});
        tvw::Preprocessor(tvw::ObjectDetection{}).run(frame.view(), image.mutable_values<float>());
        ck_assert(values_of(outputs) == values_of(engine->run({{"input", image}})));
    }
}
END_TEST

START_TEST(frames_that_make_no_batch_are_refused_with_their_sizes) {
    Random random(seed());
    const auto engine = make_engine();
    const auto runner = engine->frame_runner(tvw::ObjectDetection{}, PreprocessMode::kExact);
    ck_assert(contains(failure_of(*runner, {}), "at least one frame"));
    const RandomFrame a(tvw::test::kFormats[0], random, 40, 36);
    const RandomFrame b(tvw::test::kFormats[0], random, 40, 35);
    const std::string text = failure_of(*runner, {{a.view()}, {b.view()}});
    ck_assert_msg(contains(text, "40×36") && contains(text, "40×35"), "%s", text.c_str());
    ck_assert(contains(failure_of(*runner, {{a.view(), tvw::Region{0, 0, 41, 1}}}), "41×1"));
    ck_assert(contains(failure_of(*runner, {FrameInput{}}), "0×0"));
}
END_TEST

START_TEST(frames_in_a_gpu_s_memory_are_no_frames_for_the_cpu) {
    const auto runner = make_engine()->frame_runner(preset(), PreprocessMode::kExact);
    tvw::FrameView frame = tiny_frame();
    frame.gpu = tvw::GpuMemory{3};
    ck_assert(contains(failure_of(*runner, {{frame}}), "cuda:3"));
}
END_TEST

START_TEST(a_runner_outlives_its_engine) {
    auto engine = make_engine();
    ck_assert(!engine->gpu());
    const auto runner = engine->frame_runner(preset(), PreprocessMode::kExact);
    const FrameInput input = {tiny_frame()};
    const std::vector<float> expected = through_a_tensor(*engine, PreprocessMode::kExact, {input});
    engine.reset();
    std::vector<NamedTensor> outputs;
    runner->run({&input, 1}, outputs);
    ck_assert(values_of(outputs) == expected);
}
END_TEST

START_TEST(presets_of_clips_are_refused) {
    const auto engine = make_engine();
    tvw::VideoClassification clips;
    clips.crop_size = clips.resize_size = {kSide, kSide};
    const auto error = error_of([&] { engine->frame_runner(clips, PreprocessMode::kExact); });
    ck_assert(error && error->kind() == ErrorKind::kNotSupported);
    ck_assert(contains(error->what(), "VideoClassification"));
}
END_TEST

START_TEST(where_frames_are_preprocessed_is_one_line_of_the_log) {
    const auto engine = make_engine();
    tvw::set_log_sink([](tvw::LogLevel, std::string_view line) { logged.emplace_back(line); });
    const auto runner = engine->frame_runner(preset(), PreprocessMode::kExact);
    tvw::set_log_sink(nullptr);
    ck_assert_uint_eq(logged.size(), 1);
    tvw::test::assert_text(logged[0], "frames for mobilenet_v3_small are preprocessed on the CPU");
}
END_TEST

int main() {
    return tvw::test::run_suite("frame runner",
                                {frames_are_run_as_the_tensor_that_preprocessing_makes,
                                 threads_that_share_a_large_frame_make_the_same_of_it,
                                 a_large_frame_that_cannot_be_read_is_refused_by_all_threads,
                                 presets_without_a_crop_make_images_of_the_frame_s_size,
                                 frames_that_make_no_batch_are_refused_with_their_sizes,
                                 frames_in_a_gpu_s_memory_are_no_frames_for_the_cpu,
                                 a_runner_outlives_its_engine, presets_of_clips_are_refused,
                                 where_frames_are_preprocessed_is_one_line_of_the_log});
}
