// SPDX-License-Identifier: LGPL-2.1-or-later
// Engines: what may share a network and what may not.
#include "support/suite.h"

#include <tvw/engine.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

using tvw::Checkpoint;
using tvw::DType;
using tvw::HostTensor;
using tvw::test::assert_text;
using tvw::test::error_of;

extern "C" tvw::EngineLibrary *tvw_engine_v1();

namespace {

tvw::Arguments two_classes() {
    return {{"num_classes", int64_t{2}}};
}

/// A SqueezeNet that answers `bias` for every image, from under `key` in a file.
std::shared_ptr<Checkpoint> constant(float bias, const std::string &key) {
    auto checkpoint = std::make_shared<Checkpoint>();
    checkpoint->digest = "the same file";
    checkpoint->state_dict_key = key;
    for (const auto &spec : tvw_engine_v1()->parameters("squeezenet1_1", two_classes())) {
        HostTensor tensor = HostTensor::zeros(spec.dtype, spec.shape);
        if (spec.key == "classifier.1.bias")
            tensor.mutable_values<float>()[0] = bias;
        checkpoint->state_dict.add(spec.key, tensor);
    }
    return checkpoint;
}

std::unique_ptr<tvw::Engine> engine(const std::shared_ptr<Checkpoint> &checkpoint) {
    return tvw_engine_v1()->create({.builder = "squeezenet1_1",
                                    .arguments = two_classes(),
                                    .checkpoint = checkpoint,
                                    .strip_prefix = ""});
}

float answer(tvw::Engine &engine) {
    const HostTensor image = HostTensor::zeros(DType::kFloat32, {1, 3, 32, 32});
    return engine.run({{"input", image}}).front().tensor.values<float>()[0];
}

std::vector<float> output_of(tvw::Engine &engine, const HostTensor &image) {
    const auto outputs = engine.run({{"input", image}});
    const auto values = outputs.front().tensor.values<float>();
    return {values.begin(), values.end()};
}

HostTensor random_images(int64_t count) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    HostTensor images = HostTensor::zeros(DType::kFloat32, {count, 3, 96, 96});
    std::ranges::generate(images.mutable_values<float>(), [&] { return normal(random); });
    return images;
}

// With inverted bottlenecks and squeeze-excitation; and with 3×3 convolutions and groups.
constexpr const char *kBuilders[] = {"mobilenet_v3_small", "regnet_y_400mf"};

std::unique_ptr<tvw::Engine> random_engine(const char *builder, int threads) {
    tvw::EngineConfig config;
    config.builder = builder;
    config.threads = threads;
    return tvw_engine_v1()->create(config);
}

} // namespace

START_TEST(streams_get_the_same_bits) {
    constexpr int kStreams = 4;
    constexpr int kFrames = 5;
    const HostTensor image = random_images(1);
    for (const char *builder : kBuilders) {
        const auto network = random_engine(builder, 2);
        const std::vector<float> expected = output_of(*network, image);
        ck_assert(std::ranges::any_of(expected, [](float value) { return value != 0; }));
        std::atomic<int> others = 0;
        std::vector<std::thread> streams;
        for (int i = 0; i < kStreams; ++i)
            streams.emplace_back([&] {
                for (int frame = 0; frame < kFrames; ++frame)
                    others += output_of(*network, image) != expected;
            });
        for (std::thread &stream : streams)
            stream.join();
        ck_assert_int_eq(others, 0);
    }
}
END_TEST

START_TEST(images_of_a_batch_are_as_alone) {
    constexpr int64_t kImages = 6;
    const HostTensor images = random_images(kImages);
    const auto pixels = images.values<float>();
    const size_t image_floats = pixels.size() / kImages;
    for (const char *builder : kBuilders) {
        std::vector<float> expected;
        for (size_t i = 0; i < kImages; ++i) {
            HostTensor image = HostTensor::zeros(DType::kFloat32, {1, 3, 96, 96});
            std::ranges::copy(pixels.subspan(i * image_floats, image_floats),
                              image.mutable_values<float>().begin());
            const std::vector<float> output = output_of(*random_engine(builder, 1), image);
            expected.insert(expected.end(), output.begin(), output.end());
        }
        ck_assert(!std::ranges::equal(expected.begin(), expected.begin() + 1000,
                                      expected.begin() + 1000, expected.begin() + 2000));
        for (const int threads : {1, 2, 3})
            ck_assert(output_of(*random_engine(builder, threads), images) == expected);
        // Threads that do not get equally many images share the work of each layer.
        const std::vector<float> shared = output_of(*random_engine(builder, 4), images);
        const float most = std::ranges::max(expected);
        for (size_t i = 0; i < expected.size(); ++i)
            ck_assert_float_eq_tol(shared[i], expected[i], 1e-4F * most);
    }
}
END_TEST

START_TEST(state_dicts_of_one_file_are_different_networks) {
    const auto network = engine(constant(1, "model"));
    const auto average = engine(constant(2, "model_ema"));
    ck_assert_float_eq(answer(*network), 1);
    ck_assert_float_eq(answer(*average), 2);
}
END_TEST

START_TEST(the_same_state_dict_is_loaded_once) {
    const auto first = engine(constant(1, "model"));
    // Nothing tells the two apart, so the second is the first.
    const auto second = engine(constant(2, "model"));
    ck_assert_float_eq(answer(*second), 1);
}
END_TEST

START_TEST(keys_of_a_file_cannot_write_to_the_terminal) {
    const auto checkpoint = constant(1, "");
    checkpoint->state_dict.add("x\x1b[2J\n\n", HostTensor::zeros(DType::kFloat32, {}));
    checkpoint->path = "a\nb.pth";
    const auto error = error_of([&] { engine(checkpoint); });
    ck_assert(error.has_value());
    assert_text(error->what(),
                R"(a\x0ab.pth does not fit squeezenet1_1; unexpected "x\x1b[2J\x0a\x0a")");
}
END_TEST

int main() {
    return tvw::test::run_suite("engine",
                                {streams_get_the_same_bits, images_of_a_batch_are_as_alone,
                                 state_dicts_of_one_file_are_different_networks,
                                 the_same_state_dict_is_loaded_once,
                                 keys_of_a_file_cannot_write_to_the_terminal});
}
