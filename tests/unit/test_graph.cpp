// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"

#include "models/models.h"
#include "passes/pass.h"

#include <algorithm>
#include <cmath>

using tvw::DType;
using tvw::Graph;
using tvw::HostTensor;
using tvw::ValueId;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;

namespace {

Graph with_input(tvw::Shape shape) {
    Graph graph("test");
    graph.add_input("input", {DType::kFloat32, std::move(shape)});
    return graph;
}

HostTensor filled(tvw::Shape shape, float first, float step) {
    HostTensor tensor = HostTensor::zeros(DType::kFloat32, std::move(shape));
    for (float &value : tensor.mutable_values<float>()) {
        value = first;
        first += step;
    }
    return tensor;
}

/// conv 2→2 1×1, batch norm, ReLU, dropout.
Graph small_network() {
    Graph graph = with_input({1, 2, 1, 1});
    const ValueId weight = graph.add_constant("conv.weight", filled({2, 2, 1, 1}, 1, 1));
    const ValueId conv = graph.add(tvw::op::Conv2d{}, {0, weight}, "conv");
    std::vector<ValueId> inputs{conv};
    for (const auto *name : {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"})
        inputs.push_back(graph.add_constant(name, filled({2}, 1, 1)));
    const ValueId norm = graph.add(tvw::op::BatchNorm{0}, inputs, "bn");
    const ValueId relu = graph.add(tvw::op::Activation{}, {norm});
    const ValueId dropout = graph.add(tvw::op::Identity{"dropout"}, {relu});
    graph.add_output("output", dropout);
    return graph;
}

size_t count(const Graph &graph, std::string_view op) {
    return size_t(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                [&](const auto &node) { return tvw::op_name(node.op) == op; }));
}

Graph build(const char *name, const tvw::Shape &input) {
    tvw::nn::ShapeSource shapes;
    return tvw::build_graph(tvw::find_builder(name), {}, input, shapes);
}

} // namespace

START_TEST(shapes_follow_pytorchs_rules) {
    Graph graph = with_input({2, 3, 31, 40});
    const ValueId weight =
        graph.add_constant("w", HostTensor::shape_only(DType::kFloat32, {8, 3, 3, 3}));
    const ValueId conv =
        graph.add(tvw::op::Conv2d{{2, 2}, {1, 1, 1, 1}, {1, 1}, 1}, {0, weight}, "conv");
    assert_text(tvw::type_text(graph.type(conv)), "float32 [2, 8, 16, 20]");
    const ValueId pool = graph.add(tvw::op::MaxPool2d{{3, 3}, {2, 2}, {1, 1}}, {conv});
    assert_text(tvw::type_text(graph.type(pool)), "float32 [2, 8, 8, 10]");
    const ValueId gate = graph.add(tvw::op::AdaptiveAvgPool2d{}, {pool});
    const ValueId scaled = graph.add(tvw::op::Mul{}, {gate, pool});
    assert_text(tvw::type_text(graph.type(scaled)), "float32 [2, 8, 8, 10]");
    const ValueId flat = graph.add(tvw::op::Flatten{1}, {scaled});
    assert_text(tvw::type_text(graph.type(flat)), "float32 [2, 640]");
}
END_TEST

START_TEST(shapes_of_sequences_follow_pytorchs_rules) {
    Graph graph = with_input({2, 6, 5, 4});
    const auto shape = [&](ValueId id) { return tvw::type_text(graph.type(id)); };
    const ValueId reshaped = graph.add(tvw::op::Reshape{{2, 6, 20}}, {0});
    const ValueId permuted = graph.add(tvw::op::Permute{{0, 2, 1}}, {reshaped});
    assert_text(shape(permuted), "float32 [2, 20, 6]");
    const ValueId scores = graph.add(tvw::op::MatMul{}, {permuted, reshaped});
    assert_text(shape(scores), "float32 [2, 20, 20]");
    assert_text(shape(graph.add(tvw::op::Softmax{}, {scores})), "float32 [2, 20, 20]");
    const ValueId parts = graph.add(tvw::op::Concat{1}, {permuted, permuted});
    assert_text(shape(parts), "float32 [2, 40, 6]");
    assert_text(shape(graph.add(tvw::op::Slice{1, 1, 40, 2}, {parts})), "float32 [2, 20, 6]");
    assert_text(shape(graph.add(tvw::op::PadEnd{{0, 1, 2}}, {parts})), "float32 [2, 41, 8]");
    assert_text(shape(graph.add(tvw::op::Roll{{1, 2}, {1, 1}}, {parts})), "float32 [2, 40, 6]");
    const ValueId index = graph.add_constant("index", HostTensor::shape_only(DType::kInt64, {7}));
    assert_text(shape(graph.add(tvw::op::Gather{}, {reshaped, index})), "float32 [7, 6, 20]");
    const ValueId pool = graph.add(tvw::op::MaxPool2d{{2, 2}, {2, 2}, {0, 0}, true}, {0});
    assert_text(shape(pool), "float32 [2, 6, 3, 2]");
}
END_TEST

START_TEST(sequences_that_do_not_fit_are_refused) {
    Graph graph = with_input({2, 6, 20});
    const auto refused = [&](const tvw::Op &op, std::vector<ValueId> inputs) {
        const auto error = error_of([&] { graph.add(op, std::move(inputs)); });
        return error && error->kind() == tvw::ErrorKind::kInvalidArgument;
    };
    ck_assert(refused(tvw::op::Reshape{{2, 7}}, {0}));
    ck_assert(refused(tvw::op::Permute{{0, 1, 1}}, {0}));
    ck_assert(refused(tvw::op::MatMul{}, {0, 0}));
    ck_assert(refused(tvw::op::Slice{1, 0, 7, 1}, {0}));
    ck_assert(refused(tvw::op::Concat{3}, {0}));
    ck_assert(refused(tvw::op::PadEnd{{1}}, {0}));
    ck_assert(refused(tvw::op::Gather{}, {0, 0}));
    ck_assert(refused(tvw::op::LayerNorm{}, {0, 0, 0}));
}
END_TEST

START_TEST(a_residual_is_of_the_results_shape) {
    Graph graph = with_input({1, 3, 8, 8});
    const auto constant = [&](tvw::Shape shape) {
        return graph.add_constant({}, HostTensor::shape_only(DType::kFloat32, std::move(shape)));
    };
    const ValueId weight = constant({4, 3, 1, 1});
    const ValueId bias = constant({4});
    tvw::op::Conv2d conv;
    conv.stride = {2, 2};
    conv.activation = tvw::op::ActivationKind::kHardswish;
    const ValueId right = graph.add(conv, {0, weight, bias, constant({1, 4, 4, 4})}, "conv");
    ck_assert(contains(tvw::op_attributes(graph.node(right).op), "activation=hardswish"));
    const auto wrong = error_of([&] {
        graph.add(conv, {0, weight, bias, constant({1, 4, 1, 1})});
    });
    ck_assert(wrong && contains(wrong->what(), "residual has shape 1×4×1×1, expected 1×4×4×4"));
    const auto linear = error_of([&] {
        graph.add(tvw::op::Linear{}, {0, constant({2, 8}), constant({2}), constant({8, 2})});
    });
    ck_assert(linear && contains(linear->what(), "expected 1×3×8×2"));
}
END_TEST

START_TEST(attention_has_heads_side_by_side) {
    Graph graph = with_input({6, 2, 5, 8});
    const auto constant = [&](tvw::Shape shape) {
        return graph.add_constant({}, HostTensor::shape_only(DType::kFloat32, std::move(shape)));
    };
    const ValueId k = constant({6, 2, 7, 8});
    const ValueId v = constant({6, 2, 7, 3});
    const auto attend = [&](std::vector<ValueId> inputs) {
        return graph.add(tvw::op::Attention{0.5}, std::move(inputs));
    };
    const ValueId y = attend({0, k, v, constant({1, 2, 5, 7}), constant({3, 1, 5, 7})});
    assert_text(tvw::type_text(graph.type(y)), "float32 [6, 5, 6]");
    assert_text(tvw::op_attributes(graph.node(y).op), "scale=0.5");
    ck_assert(error_of([&] { attend({0, k}); }));
    ck_assert(error_of([&] { attend({0, v, v}); }));
    ck_assert(error_of([&] { attend({0, k, 0}); }));
    const auto term = error_of([&] { attend({0, k, v, constant({4, 1, 5, 7})}); });
    ck_assert(term && contains(term->what(), "a term 4×1×5×7 does not fit scores 6×2×5×7"));
}
END_TEST

START_TEST(attention_over_rows_names_each_row_once) {
    Graph graph = with_input({6, 2, 8});
    const auto attend = [&](int64_t tokens, std::vector<int32_t> rows) {
        auto table = std::make_shared<const std::vector<int32_t>>(std::move(rows));
        return graph.add(tvw::op::Attention{1, tokens, std::move(table)}, {0, 0, 0});
    };
    const ValueId y = attend(3, {5, 3, 1, 0, 2, 4});
    assert_text(tvw::type_text(graph.type(y)), "float32 [6, 16]");
    assert_text(tvw::op_attributes(graph.node(y).op), "tokens=3 rows=6");
    ck_assert(error_of([&] { attend(4, {5, 3, 1, 0, 2, 4}); }));
    ck_assert(error_of([&] { attend(3, {5, 3, 1, 0, 2, 5}); }));
    ck_assert(error_of([&] { attend(3, {5, 3, 1, 0, 2, 6}); }));
    ck_assert(error_of([&] { attend(3, {2, 1, 0}); }));
    ck_assert(error_of([&] { graph.add(tvw::op::Attention{1, 3, {}}, {0, 0, 0}); }));
}
END_TEST

START_TEST(a_node_that_does_not_fit_is_named) {
    Graph graph = with_input({1, 4, 8, 8});
    const ValueId weight =
        graph.add_constant("w", HostTensor::shape_only(DType::kFloat32, {8, 3, 3, 3}));
    const auto error = error_of([&] {
        graph.add(tvw::op::Conv2d{}, {0, weight}, "layer1.0.conv1");
    });
    ck_assert(error);
    ck_assert(contains(error->what(), "\"layer1.0.conv1\": input has 4 channels"));
}
END_TEST

START_TEST(an_image_smaller_than_the_window_is_an_error) {
    Graph graph = with_input({1, 1, 2, 2});
    const ValueId weight =
        graph.add_constant("w", HostTensor::shape_only(DType::kFloat32, {1, 1, 5, 5}));
    const auto error = error_of([&] { graph.add(tvw::op::Conv2d{}, {0, weight}, "conv"); });
    ck_assert(error && contains(error->what(), "too small"));
}
END_TEST

START_TEST(the_last_window_may_reach_over_the_end_but_starts_before_it) {
    Graph graph = with_input({1, 1, 2, 5});
    tvw::op::MaxPool2d pool{{3, 3}, {2, 2}, {0, 0}};
    pool.ceil_mode = true;
    assert_text(tvw::type_text(graph.type(graph.add(pool, {0}))), "float32 [1, 1, 1, 2]");
    pool.padding = {1, 1};
    pool.stride = {3, 3};
    assert_text(tvw::type_text(graph.type(graph.add(pool, {0}))), "float32 [1, 1, 1, 2]");
    pool.kernel = {6, 6};
    pool.padding = {0, 0};
    pool.stride = {2, 2};
    ck_assert(error_of([&] { graph.add(pool, {0}); }));
}
END_TEST

START_TEST(names_stay_unique) {
    Graph graph = with_input({1, 2});
    const ValueId a = graph.add(tvw::op::Activation{}, {0}, "same");
    const ValueId b = graph.add(tvw::op::Activation{}, {a}, "same");
    ck_assert(graph.node(a).name != graph.node(b).name);
}
END_TEST

START_TEST(text_and_dot_show_every_operation) {
    const std::string text = tvw::to_text(small_network());
    ck_assert(
        contains(text, "%conv = conv2d(%input, conv.weight[2, 2, 1, 1]) : float32 [1, 2, 1, 1]"));
    ck_assert(contains(text, "output = %identity_"));
    const std::string dot = tvw::to_dot(small_network());
    ck_assert(contains(dot, "digraph \"test\""));
    ck_assert(contains(dot, "batch_norm eps=0"));
}
END_TEST

START_TEST(drop_identity_leaves_no_dropout) {
    const Graph graph = tvw::drop_identity(small_network());
    tvw::verify(graph);
    ck_assert_uint_eq(count(graph, "identity"), 0);
    ck_assert_uint_eq(count(graph, "relu"), 1);
}
END_TEST

START_TEST(fold_batch_norm_scales_weight_and_bias) {
    const Graph graph = tvw::fold_batch_norm(small_network());
    tvw::verify(graph);
    ck_assert_uint_eq(count(graph, "batch_norm"), 0);
    const auto conv =
        std::find_if(graph.nodes().begin(), graph.nodes().end(),
                     [](const auto &node) { return tvw::op_name(node.op) == "conv2d"; });
    ck_assert(conv != graph.nodes().end());
    ck_assert_uint_eq(conv->inputs.size(), 3);
    const auto values = [&](size_t input) {
        return std::get<tvw::op::Constant>(graph.node(conv->inputs[input]).op)
            .tensor.values<float>();
    };
    // weight 1 2 / 3 4; gamma, beta, mean, variance all 1 2: scale is γ/√σ², bias β - μ·scale.
    const float scale = 2 / std::sqrt(2.0F);
    const float weight[] = {1, 2, 3 * scale, 4 * scale};
    for (size_t i = 0; i < 4; ++i)
        ck_assert_float_eq_tol(values(1)[i], weight[i], 1e-6F);
    ck_assert_float_eq_tol(values(2)[0], 0, 1e-6F);
    ck_assert_float_eq_tol(values(2)[1], 2 - 2 * scale, 1e-6F);
}
END_TEST

START_TEST(a_convolution_that_others_read_is_not_folded) {
    Graph graph = with_input({1, 2, 1, 1});
    const ValueId weight = graph.add_constant("w", filled({2, 2, 1, 1}, 1, 1));
    const ValueId conv = graph.add(tvw::op::Conv2d{}, {0, weight}, "conv");
    std::vector<ValueId> inputs{conv};
    for (const auto *name : {"a", "b", "c", "d"})
        inputs.push_back(graph.add_constant(name, filled({2}, 1, 1)));
    const ValueId norm = graph.add(tvw::op::BatchNorm{}, inputs);
    graph.add_output("output", graph.add(tvw::op::Add{}, {norm, conv}));
    ck_assert_uint_eq(count(tvw::fold_batch_norm(graph), "batch_norm"), 1);
}
END_TEST

START_TEST(passes_leave_no_batch_norm_in_any_family) {
    for (const char *name : {"resnet50", "efficientnet_v2_s", "mobilenet_v3_large"}) {
        const Graph before = build(name, {1, 3, 224, 224});
        ck_assert_uint_gt(count(before, "batch_norm"), 0);
        const Graph after = tvw::run_passes(before);
        ck_assert_uint_eq(count(after, "batch_norm"), 0);
        ck_assert_uint_eq(count(after, "identity"), 0);
        ck_assert_uint_eq(count(after, "conv2d"), count(before, "conv2d"));
    }
}
END_TEST

START_TEST(a_broken_graph_does_not_verify) {
    Graph graph = with_input({1, 2});
    const auto error = error_of([&] { tvw::verify(graph); });
    ck_assert(error && error->kind() == tvw::ErrorKind::kInternal);
}
END_TEST

START_TEST(the_lite_checkpoints_own_keys_find_their_places) {
    const auto rename = tvw::find_builder("efficientnet_lite0").hooks.rename_key;
    ck_assert(rename != nullptr);
    assert_text(rename("_conv_stem.weight"), "features.0.0.weight");
    assert_text(rename("_bn1.running_var"), "features.8.1.running_var");
    assert_text(rename("_blocks.0._depthwise_conv.weight"), "features.1.0.block.0.0.weight");
    assert_text(rename("_blocks.0._bn2.bias"), "features.1.0.block.1.1.bias");
    assert_text(rename("_blocks.15._expand_conv.weight"), "features.7.0.block.0.0.weight");
    assert_text(rename("_blocks.4._bn1.weight"), "features.3.1.block.1.1.weight");
    assert_text(rename("features.0.0.weight"), "features.0.0.weight");
    assert_text(rename("_blocks.99999999999999999999._bn9"), "_blocks.99999999999999999999._bn9");
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "graph",
        {shapes_follow_pytorchs_rules, shapes_of_sequences_follow_pytorchs_rules,
         sequences_that_do_not_fit_are_refused, a_residual_is_of_the_results_shape,
         attention_has_heads_side_by_side, attention_over_rows_names_each_row_once,
         a_node_that_does_not_fit_is_named, an_image_smaller_than_the_window_is_an_error,
         the_last_window_may_reach_over_the_end_but_starts_before_it, names_stay_unique,
         text_and_dot_show_every_operation, drop_identity_leaves_no_dropout,
         fold_batch_norm_scales_weight_and_bias, a_convolution_that_others_read_is_not_folded,
         passes_leave_no_batch_norm_in_any_family, a_broken_graph_does_not_verify,
         the_lite_checkpoints_own_keys_find_their_places});
}
