// SPDX-License-Identifier: LGPL-2.1-or-later
// bfloat16 on the CPU: how far its plans are from float32, and where it is offered. There is
// portable code for it, so plans are tested on all CPUs; engines take it only where it is fast.
#include "support/random_parameters.h"
#include "support/run_plan.h"
#include "support/suite.h"

#include "backends/backend.h"
#include "backends/cpu/kernels/bfloat16.h"
#include "backends/cpu/pack_cache.h"
#include "models/models.h"
#include "passes/pass.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <span>
#include <sstream>

using tvw::Graph;
using tvw::HostTensor;
using tvw::test::contains;
using tvw::test::error_of;

extern "C" tvw::EngineLibrary *tvw_engine_v1();

namespace {

constexpr unsigned kSeed = 5;
constexpr int64_t kImages = 2;

struct Network {
    const char *builder;
    int64_t side;
    double most; ///< difference from float32, as a part of the largest output
};

// Each about twice what was seen with several seeds.
constexpr std::array kNetworks = {
    Network{"mobilenet_v3_small", 64, 0.045},
    Network{"resnet18", 64, 0.015},
    Network{"swin_t", 64, 0.04},
};

Graph graph_of(const char *builder, int64_t side) {
    const auto checkpoint =
        tvw::test::random_checkpoint(tvw_engine_v1()->parameters(builder, {}), kSeed);
    tvw::nn::CheckpointSource parameters(checkpoint->state_dict, nullptr);
    return tvw::build_graph(tvw::find_builder(builder), {}, {kImages, 3, side, side}, parameters);
}

std::unique_ptr<tvw::Plan> plan_of(const Graph &graph, tvw::cpu::PackCache &cache) {
    return tvw::make_cpu_plan(tvw::run_passes(graph), cache, 1, tvw::Precision::kBf16);
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
    ck_assert_uint_eq(a.size(), b.size());
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        ck_assert(std::isfinite(a[i]));
        largest = std::max(largest, std::abs(double(a[i]) - double(b[i])));
    }
    return largest;
}

double largest_of(std::span<const float> values) {
    const std::vector<float> zeros(values.size());
    return largest_difference(values, zeros);
}

/// What the system says of the CPU.
bool system_lists_bfloat16() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
        std::istringstream words(line);
        for (std::string word; words >> word;) {
            if (word == "avx512_bf16")
                return true;
        }
    }
    return false;
}

tvw::EngineConfig config_of(const char *builder) {
    tvw::EngineConfig config;
    config.builder = builder;
    config.device = {tvw::Device::Type::kCpu};
    config.precision = tvw::Precision::kBf16;
    return config;
}

std::string refusal(const tvw::EngineConfig &config) {
    const auto error = error_of([&] { tvw_engine_v1()->create(config); });
    ck_assert(error && error->kind() == tvw::ErrorKind::kNotSupported);
    return error->what();
}

} // namespace

START_TEST(plans_are_near_the_reference) {
    for (const auto &[builder, side, most] : kNetworks) {
        const Graph graph = graph_of(builder, side);
        const HostTensor input = tvw::test::random_images(kImages, side, kSeed);
        const auto reference = tvw::make_reference_plan(graph);
        const HostTensor expected = tvw::test::run(*reference, {input}).front();
        tvw::cpu::PackCache cache;
        const auto plan = plan_of(graph, cache);
        const HostTensor output = tvw::test::run(*plan, {input}).front();
        ck_assert(output.dtype() == tvw::DType::kFloat32 && output.shape() == expected.shape());

        const auto values = output.values<float>();
        const double largest = largest_of(expected.values<float>());
        const double error = largest_difference(values, expected.values<float>()) / largest;
        ck_assert_msg(error > 0 && error < most, "%s: %g", builder, error);
        // Images get answers of their own, which differ by more than the error.
        const size_t half = values.size() / 2;
        const double apart = largest_difference(values.first(half), values.last(half)) / largest;
        ck_assert_msg(apart > 2 * error, "%s: %g apart, error %g", builder, apart, error);
    }
}
END_TEST

START_TEST(outputs_are_written_over_those_of_an_earlier_run) {
    tvw::cpu::PackCache cache;
    const auto plan = plan_of(graph_of("mobilenet_v3_small", 64), cache);
    const HostTensor input = tvw::test::random_images(kImages, 64, kSeed);
    const HostTensor *pointer = &input;
    std::vector<tvw::NamedTensor> outputs;
    plan->run({&pointer, 1}, outputs);
    ck_assert_uint_eq(outputs.size(), 1);
    ck_assert_str_eq(outputs[0].name.c_str(), "output");
    const auto *storage = outputs[0].tensor.storage().get();
    const auto values = outputs[0].tensor.values<float>();
    const std::vector<float> first(values.begin(), values.end());
    plan->run({&pointer, 1}, outputs);
    ck_assert_ptr_eq(outputs[0].tensor.storage().get(), storage);
    ck_assert(std::ranges::equal(outputs[0].tensor.values<float>(), first));
}
END_TEST

START_TEST(convolutions_and_linear_layers_take_it) {
    tvw::cpu::PackCache cache;
    const auto plan = plan_of(graph_of("mobilenet_v3_small", 64), cache);
    const HostTensor input = tvw::test::random_images(kImages, 64, kSeed);
    const HostTensor *pointer = &input;
    for (const tvw::NodeTime &node : plan->profile({&pointer, 1}, 0)) {
        const bool rounds = contains(node.kernel, "bf16");
        const bool depthwise = contains(node.kernel, "depthwise");
        ck_assert_msg(rounds == (node.op == "linear" || (node.op == "conv2d" && !depthwise)),
                      "%s: %s", node.node.c_str(), node.kernel.c_str());
    }
}
END_TEST

START_TEST(the_cpu_is_known_as_the_system_knows_it) {
    ck_assert_int_eq(tvw::cpu::multiplies_bfloat16(), system_lists_bfloat16());
}
END_TEST

START_TEST(engines_take_it_where_the_cpu_has_it) {
    tvw::EngineConfig config = config_of("mobilenet_v3_small");
    if (!tvw::cpu::multiplies_bfloat16()) {
        const std::string line = refusal(config);
        ck_assert_msg(contains(line, "precision bf16 needs an NVIDIA GPU, or instructions for it "
                                     "that this CPU lacks (AVX512_BF16)"),
                      "%s", line.c_str());
        ck_assert_msg(contains(line, "or take the precision \"fp32\""), "%s", line.c_str());
        return;
    }
    const HostTensor image = tvw::test::random_images(1, 64, kSeed);
    const auto output_of = [&] {
        return tvw_engine_v1()->create(config)->run({{"input", image}}).front().tensor;
    };
    const HostTensor output = output_of();
    config.precision = tvw::Precision::kFp32;
    const HostTensor expected = output_of();
    const double largest = largest_of(expected.values<float>());
    const double error = largest_difference(output.values<float>(), expected.values<float>());
    // Not even with the same weights are the two one network.
    ck_assert_msg(error > 0 && error < largest, "%g of %g", error, largest);
}
END_TEST

START_TEST(what_it_cannot_be_combined_with_is_named) {
    tvw::EngineConfig config = config_of("mobilenet_v3_small");
    config.backend = tvw::Backend::kReference;
    ck_assert(contains(refusal(config), "precision bf16 needs the backend \"auto\""));
    config = config_of("quantized_mobilenet_v2");
    config.arguments = {{"quantize", true}};
    ck_assert(contains(refusal(config), "precision bf16 needs a network that is not quantized"));
    for (const tvw::Precision other : {tvw::Precision::kFp16, tvw::Precision::kTf32}) {
        config = config_of("mobilenet_v3_small");
        config.precision = other;
        ck_assert(contains(refusal(config), " needs an NVIDIA GPU, and mobilenet_v3_small runs"));
    }
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "bfloat16",
        {plans_are_near_the_reference, outputs_are_written_over_those_of_an_earlier_run,
         convolutions_and_linear_layers_take_it, the_cpu_is_known_as_the_system_knows_it,
         engines_take_it_where_the_cpu_has_it, what_it_cannot_be_combined_with_is_named},
        300);
}
