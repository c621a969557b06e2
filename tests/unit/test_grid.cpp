// SPDX-License-Identifier: LGPL-2.1-or-later
// What a GPU computes of a frame, in loops over its grid, against the CPU's preprocessing.
#include "support/host_grid.h"
#include "support/random_frames.h"
#include "support/suite.h"

#include "base/half.h"
#include "cuda/image_output.h"

#include <tvw/transforms.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using tvw::DType;
using tvw::ErrorKind;
using tvw::FrameInput;
using tvw::InterpolationMode;
using tvw::Region;
using tvw::Transforms;
using tvw::cuda::image_output;
using tvw::cuda::ImageLayout;
using tvw::test::contains;
using tvw::test::error_of;
using tvw::test::FrameBatch;
using tvw::test::HostGrid;
using tvw::test::kFormats;
using tvw::test::Random;
using tvw::test::RandomFrame;

namespace {

unsigned seed() {
    static const unsigned value = tvw::test::printed_seed("grid");
    return value;
}

std::vector<float> float_values(const tvw::Normalization &normalization) {
    return tvw::level_values<float>(normalization, [](float value) { return value; });
}

/// A crop of some size, larger or smaller than what the resize leaves.
Transforms random_preset(Random &random) {
    tvw::ImageClassification preset;
    preset.resize_size = {1 + random.below(40)};
    if (random.below(3) == 0)
        preset.resize_size.push_back(1 + random.below(60));
    preset.crop_size = {1 + random.below(50), 1 + random.below(50)};
    preset.interpolation = InterpolationMode(random.below(3));
    preset.antialias = random.below(2) == 0;
    return preset;
}

/// What the CPU makes of the same frames, one after the other.
std::vector<float> on_cpu(const Transforms &preset, const std::vector<FrameInput> &inputs) {
    tvw::Preprocessor preprocessor(preset);
    std::vector<float> result;
    for (const FrameInput &input : inputs) {
        const Region area =
            input.region.value_or(Region{0, 0, input.frame.width, input.frame.height});
        std::vector<float> image(
            size_t(tvw::numel(preprocessor.output_shape(area.width, area.height))));
        preprocessor.run(input.frame, image, input.region);
        result.insert(result.end(), image.begin(), image.end());
    }
    return result;
}

std::vector<float> on_grid(HostGrid &grid, const std::vector<FrameInput> &inputs, bool crop) {
    grid.start(inputs, crop);
    const std::vector<float> values = float_values(grid.plan().normalization());
    const tvw::Size size = grid.plan().output();
    std::vector<float> result(inputs.size() * size_t(3 * size.height * size.width));
    grid.finish(
        image_output({result.data(), std::ssize(result)}, values.data(), size, inputs.size()));
    return result;
}

void plan_all(tvw::GridPlan &plan, const std::vector<FrameInput> &inputs) {
    plan.plan(inputs);
}

bool same_bits(const std::vector<float> &a, const std::vector<float> &b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

} // namespace

START_TEST(grid_equals_cpu_in_every_format) {
    Random random(seed());
    for (int round = 0; round < 12; ++round) {
        for (const auto &format : kFormats) {
            const Transforms preset = random_preset(random);
            FrameBatch batch;
            const int count = 1 + random.below(3);
            for (int i = 0; i < count; ++i)
                batch.add(format, random);
            HostGrid grid(preset);
            const std::vector<float> expected = on_cpu(preset, batch.inputs);
            for (const bool crop : {false, true}) {
                ck_assert_msg(same_bits(on_grid(grid, batch.inputs, crop), expected),
                              "%s, %s: %s, round %d", format.name, crop ? "copied" : "in place",
                              tvw::repr(preset).c_str(), round);
            }
        }
    }
}
END_TEST

START_TEST(grid_equals_cpu_for_every_preset) {
    Random random(seed() + 1);
    const std::vector<Transforms> presets = {
        tvw::ImageClassification{.crop_size = {24}, .resize_size = {32}},
        tvw::SemanticSegmentation{.resize_size = {{29}}},
        tvw::SemanticSegmentation{},
        tvw::VideoClassification{.crop_size = {20, 24}, .resize_size = {30, 41}},
        tvw::ObjectDetection{},
        tvw::OpticalFlow{}};
    for (const Transforms &preset : presets) {
        for (const auto &format : kFormats) {
            const RandomFrame frame(format, random);
            const std::vector<FrameInput> inputs = {{frame.view()}, {frame.view()}};
            HostGrid grid(preset);
            ck_assert_msg(same_bits(on_grid(grid, inputs, true), on_cpu(preset, inputs)), "%s: %s",
                          format.name, tvw::repr(preset).c_str());
        }
    }
}
END_TEST

START_TEST(a_clip_has_its_channels_before_its_frames) {
    Random random(seed() + 2);
    const tvw::VideoClassification preset{.crop_size = {17, 20}, .resize_size = {24, 31}};
    constexpr size_t kFrames = 3;
    std::list<RandomFrame> frames;
    std::vector<tvw::FrameView> views;
    std::vector<FrameInput> inputs;
    for (size_t t = 0; t < kFrames; ++t) {
        views.push_back(frames.emplace_back(kFormats[11], random, 50, 37).view());
        inputs.push_back({views.back()});
    }
    constexpr ptrdiff_t kPlane = ptrdiff_t{17} * 20;
    std::vector<float> expected(kFrames * 3 * kPlane);
    tvw::Preprocessor(preset).run_clip(views, expected);

    HostGrid grid(preset);
    grid.start(inputs, true);
    const std::vector<float> values = float_values(grid.plan().normalization());
    std::vector<float> clip(expected.size());
    grid.finish(image_output({clip.data(), std::ssize(clip), DType::kFloat32, ImageLayout::kClip},
                             values.data(), grid.plan().output(), kFrames));
    ck_assert(same_bits(clip, expected));
}
END_TEST

START_TEST(other_layouts_and_types_hold_the_same_values) {
    Random random(seed() + 3);
    const Transforms preset = tvw::ImageClassification{.crop_size = {21, 26}, .resize_size = {30}};
    HostGrid grid(preset);
    FrameBatch batch;
    for (int i = 0; i < 3; ++i)
        batch.add(kFormats[size_t(i) * 5], random);
    const std::vector<float> expected = on_cpu(preset, batch.inputs);
    grid.start(batch.inputs, true);
    const auto values =
        tvw::level_values<uint16_t>(grid.plan().normalization(), tvw::float_to_half);
    std::vector<uint16_t> halves(expected.size());
    grid.finish(image_output(
        {halves.data(), std::ssize(halves), DType::kFloat16, ImageLayout::kChannelsLast},
        values.data(), grid.plan().output(), batch.inputs.size()));
    constexpr size_t kPixels = size_t{21} * 26;
    for (size_t i = 0; i < halves.size(); ++i) {
        const size_t image = i / (3 * kPixels);
        const size_t pixel = i / 3 % kPixels;
        const float value = expected[(image * 3 + i % 3) * kPixels + pixel];
        ck_assert_uint_eq(halves[i], tvw::float_to_half(value));
    }
}
END_TEST

START_TEST(only_what_the_crop_keeps_is_copied) {
    Random random(seed() + 4);
    const Transforms preset =
        tvw::ImageClassification{.crop_size = {224}, .resize_size = {256}, .antialias = true};
    for (const auto &[format_name, bytes_per_pixel] : {std::pair{"RGB", 3.0}, {"NV12", 1.5}}) {
        const std::string_view name = format_name; // Clang before 16 captures no binding
        const auto format = std::find_if(kFormats.begin(), kFormats.end(),
                                         [&](const auto &f) { return f.name == name; });
        const RandomFrame frame(*format, random, 1920, 1080);
        tvw::GridPlan plan(preset);
        plan_all(plan, {{frame.view()}});
        const auto jobs = plan.jobs(nullptr, nullptr, nullptr);
        // 224 of 256 rows, as many columns, and some pixels under the outermost windows.
        const double kept = 1080.0 * 224 / 256;
        const auto most = size_t((kept + 12) * (kept + 12) * bytes_per_pixel);
        ck_assert_uint_le(tvw::FrameCrop(jobs[0]).bytes(), most);
    }
}
END_TEST

START_TEST(tables_are_made_anew_only_for_another_size) {
    Random random(seed() + 5);
    tvw::GridPlan plan(tvw::ImageClassification{.crop_size = {24}, .resize_size = {32}});
    const RandomFrame first(kFormats[0], random, 50, 40);
    const RandomFrame same(kFormats[11], random, 50, 40);
    const RandomFrame other(kFormats[0], random, 60, 40);
    plan_all(plan, {{first.view()}, {other.view()}});
    const uint64_t version = plan.version();
    const size_t weights = plan.weights().size();
    plan_all(plan, {{same.view()}, {other.view()}, {first.view()}});
    ck_assert_uint_eq(plan.version(), version);
    ck_assert_uint_eq(plan.weights().size(), weights);
    plan_all(plan, {{first.view(), Region{1, 0, 49, 40}}});
    ck_assert_uint_ne(plan.version(), version);
}
END_TEST

START_TEST(mistakes_are_named) {
    Random random(seed() + 6);
    const RandomFrame frame(kFormats[0], random, 50, 40);
    const RandomFrame other(kFormats[0], random, 60, 40);
    tvw::GridPlan plan(tvw::ObjectDetection{});
    const auto none = error_of([&] { plan_all(plan, {}); });
    ck_assert(contains(none->what(), "at least one frame"));
    const auto sizes = error_of([&] { plan_all(plan, {{frame.view()}, {other.view()}}); });
    ck_assert(sizes->kind() == ErrorKind::kInvalidArgument);
    ck_assert(contains(sizes->what(), "50×40 and 60×40"));
    const auto outside = error_of([&] { plan_all(plan, {{frame.view(), Region{40, 0, 20, 20}}}); });
    ck_assert(contains(outside->what(), "not inside the frame"));
}
END_TEST

int main() {
    seed(); // one for all of the suite's processes
    return tvw::test::run_suite(
        "grid", {grid_equals_cpu_in_every_format, grid_equals_cpu_for_every_preset,
                 a_clip_has_its_channels_before_its_frames,
                 other_layouts_and_types_hold_the_same_values, only_what_the_crop_keeps_is_copied,
                 tables_are_made_anew_only_for_another_size, mistakes_are_named});
}
