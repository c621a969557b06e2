// SPDX-License-Identifier: LGPL-2.1-or-later
// What runs on GPUs, run on the CPU: layouts, precisions, attention and lifetimes are the same
// there.
#include "support/random_parameters.h"
#include "support/suite.h"

#include "backends/backend.h"
#include "backends/cuda/program.h"
#include "models/models.h"
#include "passes/pass.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <array>

using tvw::Graph;
using tvw::HostTensor;
using tvw::cuda::Program;
using tvw::cuda::WeightCache;

extern "C" tvw::EngineLibrary *tvw_engine_v1();

namespace {

constexpr unsigned kSeed = 3;

struct Network {
    const char *builder;
    int64_t side;
};

/// Small networks of every kind: residuals, groups, concatenations, gates, windows, attention.
constexpr std::array kNetworks = {
    Network{"resnet18", 64},           Network{"regnet_y_400mf", 64},
    Network{"squeezenet1_1", 64},      Network{"densenet121", 64},
    Network{"googlenet", 64},          Network{"inception_v3", 96},
    Network{"mobilenet_v3_small", 64}, Network{"efficientnet_b0", 64},
    Network{"shufflenet_v2_x0_5", 64}, Network{"mnasnet0_5", 64},
    Network{"convnext_tiny", 64},      Network{"swin_t", 64},
    Network{"swin_v2_t", 64},          Network{"maxvit_t", 224},
    Network{"vit_b_32", 224},
};

Graph graph_of(const Network &network) {
    const tvw::nn::Builder &builder = tvw::find_builder(network.builder);
    const auto checkpoint =
        tvw::test::random_checkpoint(tvw_engine_v1()->parameters(network.builder, {}), kSeed);
    tvw::nn::CheckpointSource parameters(checkpoint->state_dict, nullptr);
    return tvw::build_graph(builder, {}, {2, 3, network.side, network.side}, parameters);
}

at::Tensor expected(const Graph &graph, const HostTensor &input) {
    const HostTensor *pointer = &input;
    std::vector<tvw::NamedTensor> outputs;
    tvw::make_reference_plan(graph)->run({&pointer, 1}, outputs);
    return outputs.front().tensor;
}

/// The largest difference, as a part of the largest value.
double error_of_program(const Network &network, at::ScalarType type) {
    const c10::InferenceMode inference;
    const Graph graph = graph_of(network);
    const HostTensor input = tvw::test::random_images(2, network.side, kSeed);
    const at::Tensor reference = expected(graph, input);
    WeightCache cache;
    Program program(tvw::run_passes(graph), at::kCPU, type, cache);
    const at::Tensor first = program.run({input}).front();
    const at::Tensor again = program.run({input}).front();
    ck_assert_msg(at::equal(first, again), "%s: two runs differ", network.builder);
    ck_assert(first.scalar_type() == at::kFloat && first.is_contiguous());
    const auto largest = [](const at::Tensor &x) { return at::max(at::abs(x)).item().toDouble(); };
    return largest(at::sub(first, reference)) / largest(reference);
}

} // namespace

START_TEST(fp32_equals_the_reference) {
    for (const Network &network : kNetworks) {
        const double error = error_of_program(network, at::kFloat);
        ck_assert_msg(error < 5e-4, "%s: %g", network.builder, error);
    }
}
END_TEST

START_TEST(bf16_is_near_the_reference) {
    for (const Network &network : {kNetworks[0], kNetworks[6], kNetworks[11]}) {
        const double error = error_of_program(network, at::kBFloat16);
        ck_assert_msg(error > 0 && error < 0.1, "%s: %g", network.builder, error);
    }
}
END_TEST

START_TEST(inputs_made_for_it_are_read_as_they_lie) {
    const c10::InferenceMode inference;
    const HostTensor image = tvw::test::random_images(2, 64, kSeed);
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        WeightCache cache;
        Program program(tvw::run_passes(graph_of({"resnet18", 64})), at::kCPU, type, cache);
        std::vector<at::Tensor> inputs = program.make_inputs();
        ck_assert_uint_eq(inputs.size(), 1);
        ck_assert(inputs[0].scalar_type() == type && inputs[0].sizes() == image.shape());
        ck_assert(inputs[0].is_contiguous(at::MemoryFormat::ChannelsLast));
        inputs[0].copy_(at::Tensor(image));
        ck_assert(at::equal(program.run(inputs).front(), program.run({image}).front()));
    }
}
END_TEST

START_TEST(plans_of_two_sizes_share_their_weights) {
    const c10::InferenceMode inference;
    WeightCache cache;
    const Program small(tvw::run_passes(graph_of({"resnet18", 64})), at::kCPU, at::kFloat, cache);
    const size_t count = cache.tensors.size();
    ck_assert_uint_gt(count, 20);
    const Program large(tvw::run_passes(graph_of({"resnet18", 96})), at::kCPU, at::kFloat, cache);
    ck_assert_uint_eq(cache.tensors.size(), count);
}
END_TEST

START_TEST(the_graph_lets_go_of_its_constants) {
    const c10::InferenceMode inference;
    WeightCache cache;
    const Program program(tvw::run_passes(graph_of({"resnet18", 64})), at::kCPU, at::kFloat, cache);
    for (const tvw::Node &node : program.graph().nodes()) {
        if (const auto *constant = std::get_if<tvw::op::Constant>(&node.op))
            ck_assert_msg(!constant->tensor.has_data(), "%s", node.name.c_str());
    }
}
END_TEST

START_TEST(images_and_weights_of_convolutions_have_their_channels_last) {
    const c10::InferenceMode inference;
    WeightCache cache;
    const Program program(tvw::run_passes(graph_of({"resnet18", 64})), at::kCPU, at::kFloat, cache);
    int images = 0;
    for (const auto &[key, tensor] : cache.tensors) {
        if (tensor.dim() != 4)
            continue;
        ck_assert_msg(tensor.is_contiguous(at::MemoryFormat::ChannelsLast), "%s", key.c_str());
        ++images;
    }
    ck_assert_int_eq(images, 20);
}
END_TEST

int main() {
    return tvw::test::run_suite("cuda program",
                                {fp32_equals_the_reference, bf16_is_near_the_reference,
                                 inputs_made_for_it_are_read_as_they_lie,
                                 plans_of_two_sizes_share_their_weights,
                                 the_graph_lets_go_of_its_constants,
                                 images_and_weights_of_convolutions_have_their_channels_last},
                                300);
}
