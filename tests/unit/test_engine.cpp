// SPDX-License-Identifier: LGPL-2.1-or-later
// Engines: what may share a network and what may not.
#include "support/suite.h"

#include <tvw/engine.h>

#include <memory>
#include <string>

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

} // namespace

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
    return tvw::test::run_suite("engine", {state_dicts_of_one_file_are_different_networks,
                                           the_same_state_dict_is_loaded_once,
                                           keys_of_a_file_cannot_write_to_the_terminal});
}
