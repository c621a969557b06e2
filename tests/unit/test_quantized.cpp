// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/run_plan.h"
#include "support/suite.h"

#include "backends/backend.h"
#include "models/models.h"
#include "nn/quantization_aware.h"
#include "passes/pass.h"

#include <ATen/Context.h>

#include <algorithm>
#include <limits>
#include <string>

using tvw::Affine;
using tvw::DType;
using tvw::Graph;
using tvw::HostTensor;
using tvw::Quantization;
using tvw::ValueId;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;

namespace {

constexpr Affine kHalves{0.5, 10};

/// Two quantized channels of one pixel.
Graph with_quantized_input() {
    Graph graph("test");
    graph.add_input("input", {DType::kFloat32, {1, 2, 1, 1}});
    graph.add(tvw::op::Quantize{kHalves}, {0}, "quant");
    return graph;
}

/// Weights 2 and 1 of one output channel, bias -4: 2a + b - 4.
ValueId add_conv(Graph &graph, ValueId x) {
    const HostTensor bytes = HostTensor::zeros(DType::kQInt8, {1, 2, 1, 1});
    bytes.storage()->data()[0] = std::byte{2};
    bytes.storage()->data()[1] = std::byte{1};
    const auto scale = std::make_shared<const Quantization>(Quantization{false, 0, {1}, {0}});
    HostTensor bias = HostTensor::zeros(DType::kFloat32, {1});
    bias.mutable_values<float>()[0] = -4;
    const ValueId weight = graph.add_constant(
        "w", {bytes.dtype(), bytes.shape(), bytes.strides(), 0, bytes.storage(), scale});
    return graph.add(tvw::op::QuantizedConv2d{{}, kHalves},
                     {x, weight, graph.add_constant("b", bias)}, "conv");
}

/// Convolution and ReLU; float32 again.
Graph small_network() {
    Graph graph = with_quantized_input();
    const ValueId relu = graph.add(tvw::op::Activation{}, {add_conv(graph, 1)}, "relu");
    graph.add_output("output", graph.add(tvw::op::Dequantize{}, {relu}));
    return graph;
}

float run(const Graph &graph, float a, float b) {
    HostTensor x = HostTensor::zeros(DType::kFloat32, {1, 2, 1, 1});
    x.mutable_values<float>()[0] = a;
    x.mutable_values<float>()[1] = b;
    return tvw::test::run(*tvw::make_reference_plan(graph), {x}).at(0).values<float>()[0];
}

int64_t count(const Graph &graph, std::string_view op) {
    return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                         [&](const tvw::Node &node) { return tvw::op_name(node.op) == op; });
}

bool refused(Graph &graph, const tvw::Op &op, std::vector<ValueId> inputs) {
    const auto error = error_of([&] { graph.add(op, std::move(inputs)); });
    return error && error->kind() == tvw::ErrorKind::kInvalidArgument &&
           contains(error->what(), "quantize");
}

/// A linear layer of quantization-aware training: weight 0, its observer saw `range` at most.
tvw::StateDict observed_layer(float range) {
    tvw::StateDict state_dict;
    const auto add = [&](const std::string &key, const tvw::Shape &shape, float number) {
        HostTensor tensor = HostTensor::zeros(DType::kFloat32, shape);
        tensor.mutable_values<float>()[0] = number;
        state_dict.add("layer." + key, tensor);
    };
    add("weight", {1, 1}, 0);
    add("bias", {1}, 0);
    for (const char *key : {"fake_quant_enabled", "observer_enabled", "scale", "zero_point",
                            "activation_post_process.eps"})
        add("weight_fake_quant." + std::string(key), {1}, 0);
    add("weight_fake_quant.activation_post_process.min_val", {}, 0);
    add("weight_fake_quant.activation_post_process.max_val", {}, range);
    return state_dict;
}

} // namespace

START_TEST(quantized_and_real_values_do_not_mix) {
    Graph graph = with_quantized_input();
    ck_assert(refused(graph, tvw::op::Add{}, {1, 1}));
    ck_assert(refused(graph, tvw::op::Softmax{}, {1}));
    ck_assert(refused(graph, tvw::op::Activation{tvw::op::ActivationKind::kGelu}, {1}));
    ck_assert(refused(graph, tvw::op::QuantizedAdd{}, {1, 0}));
    ck_assert(refused(graph, tvw::op::Dequantize{}, {0}));
    ck_assert(error_of([&] { graph.add(tvw::op::QuantizedLinear{}, {1, 1, 1}); }));
}
END_TEST

START_TEST(types_tell_how_values_are_stored) {
    Graph graph = with_quantized_input();
    assert_text(tvw::type_text(graph.type(1)), "quint8 [1, 2, 1, 1] scale=0.5 zero_point=10");
    const ValueId pooled = graph.add(tvw::op::SpatialMean{}, {1});
    assert_text(tvw::type_text(graph.type(pooled)), "quint8 [1, 2] scale=0.5 zero_point=10");
    using tvw::op::ActivationKind;
    const ValueId gate = graph.add(tvw::op::Activation{ActivationKind::kHardsigmoid}, {1});
    assert_text(tvw::type_text(graph.type(gate)),
                "quint8 [1, 2, 1, 1] scale=0.00390625 zero_point=0");
    const std::string text = tvw::to_text(small_network());
    ck_assert(contains(text, "%quant = quantize(%input) engine=fbgemm : quint8 [1, 2, 1, 1]"));
    ck_assert(contains(text, "%conv = quantized_conv2d(%quant, w[1, 2, 1, 1], b[1]) : quint8"));
}
END_TEST

START_TEST(layers_compute_with_packed_weights) {
    tvw::verify(small_network());
    ck_assert_float_eq(run(small_network(), 3, 1.5F), 3.5F);
    ck_assert_float_eq(run(small_network(), 1, 1), 0);
}
END_TEST

START_TEST(the_engine_of_the_process_stays_as_it_was) {
    for (const auto engine : {at::kFBGEMM, at::kQNNPACK}) {
        at::globalContext().setQEngine(engine);
        run(small_network(), 1, 1);
        ck_assert(at::globalContext().qEngine() == engine);
    }
}
END_TEST

START_TEST(fuse_quantized_relu_keeps_output) {
    const Graph fused = tvw::fuse_quantized_relu(small_network());
    tvw::verify(fused);
    ck_assert_int_eq(count(fused, "relu"), 0);
    ck_assert(contains(tvw::to_text(fused), "relu : quint8"));
    for (const float a : {-2.0F, 0.0F, 1.3F, 1.75F, 4.0F, 100.0F})
        ck_assert_float_eq(run(fused, a, 1), run(small_network(), a, 1));
}
END_TEST

START_TEST(a_convolution_that_others_read_keeps_its_sign) {
    Graph graph = with_quantized_input();
    const ValueId conv = add_conv(graph, 1);
    const ValueId relu = graph.add(tvw::op::Activation{}, {conv});
    graph.add_output("output", graph.add(tvw::op::QuantizedAdd{kHalves}, {conv, relu}));
    ck_assert_int_eq(count(tvw::fuse_quantized_relu(graph), "relu"), 1);
}
END_TEST

START_TEST(passes_leave_no_relu_of_their_own_in_a_quantized_network) {
    const tvw::nn::Builder &builder = tvw::find_builder("quantized_resnet50");
    tvw::nn::ShapeSource shapes;
    const Graph before = tvw::build_graph(builder, {{"quantize", true}}, {1, 3, 64, 64}, shapes);
    const Graph after = tvw::run_passes(before);
    ck_assert_int_gt(count(before, "relu"), 0);
    ck_assert_int_eq(count(after, "relu"), 0);
    for (const auto *op : {"quantized_conv2d", "quantized_add", "quantized_linear", "quantize"})
        ck_assert_int_eq(count(after, op), count(before, op));
}
END_TEST

START_TEST(a_scale_without_a_reciprocal_is_an_error) {
    const auto load = [](float range) {
        const tvw::StateDict state_dict = observed_layer(range);
        tvw::nn::CheckpointSource source(state_dict, nullptr);
        Graph graph("test");
        tvw::nn::aware_layer(tvw::nn::Scope(graph, source) / "layer", {1, 1}, std::nullopt);
    };
    load(1);
    for (const float range : {0.0F, 1e-40F, std::numeric_limits<float>::infinity()}) {
        const auto error = error_of([&] { load(range); });
        ck_assert(error && contains(error->what(), "\"layer\" cannot be quantized"));
    }
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "quantized",
        {quantized_and_real_values_do_not_mix, types_tell_how_values_are_stored,
         layers_compute_with_packed_weights, the_engine_of_the_process_stays_as_it_was,
         fuse_quantized_relu_keeps_output, a_convolution_that_others_read_keeps_its_sign,
         passes_leave_no_relu_of_their_own_in_a_quantized_network,
         a_scale_without_a_reciprocal_is_an_error});
}
