// SPDX-License-Identifier: LGPL-2.1-or-later
// Each pass by what it leaves of a graph and by numbers: whatever it does, the results stay.
#include "support/run_plan.h"
#include "support/suite.h"

#include "backends/backend.h"
#include "models/models.h"
#include "passes/pass.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

using tvw::DType;
using tvw::Graph;
using tvw::HostTensor;
using tvw::Shape;
using tvw::ValueId;
using tvw::op::ActivationKind;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;
namespace op = tvw::op;

namespace {

HostTensor random(Shape shape, unsigned seed) {
    HostTensor tensor = HostTensor::zeros(DType::kFloat32, std::move(shape));
    std::mt19937 numbers(seed);
    std::normal_distribution<float> normal;
    for (float &value : tensor.mutable_values<float>())
        value = normal(numbers);
    return tensor;
}

HostTensor one(float value) {
    HostTensor tensor = HostTensor::zeros(DType::kFloat32, {});
    tensor.mutable_values<float>()[0] = value;
    return tensor;
}

/// A graph under construction whose parameters are random.
struct Sketch {
    Graph graph{"test"};

    explicit Sketch(Shape input) { graph.add_input("input", {DType::kFloat32, std::move(input)}); }

    ValueId constant(Shape shape) {
        const auto seed = unsigned(graph.nodes().size());
        return graph.add_constant({}, random(std::move(shape), seed));
    }
    ValueId add(tvw::Op operation, std::vector<ValueId> inputs) {
        return graph.add(std::move(operation), std::move(inputs));
    }
    ValueId conv(ValueId x, int64_t out, int64_t kernel = 1) {
        const int64_t in = graph.type(x).shape[1];
        const int64_t side = kernel / 2;
        return add(op::Conv2d{{1, 1}, {side, side, side, side}},
                   {x, constant({out, in, kernel, kernel}), constant({out})});
    }
    ValueId linear(ValueId x, int64_t out) {
        return add(op::Linear{}, {x, constant({out, graph.type(x).shape.back()}), constant({out})});
    }
    ValueId layer_norm(ValueId x) {
        const int64_t width = graph.type(x).shape.back();
        return add(op::LayerNorm{}, {x, constant({width}), constant({width})});
    }
    ValueId relu(ValueId x) { return add(op::Activation{}, {x}); }
    Graph finish(ValueId output) {
        graph.add_output("output", output);
        return graph;
    }
};

HostTensor run(const Graph &graph, unsigned seed = 1) {
    const HostTensor input = random(graph.nodes()[0].type.shape, seed);
    return tvw::test::run(*tvw::make_reference_plan(graph), {input}).at(0);
}

float largest(const HostTensor &tensor) {
    float result = 0;
    for (const float value : tensor.values<float>())
        result = std::max(result, std::abs(value));
    return result;
}

/// By how much of the largest output two results differ; a number that fails if one is not finite.
float difference(const HostTensor &a, const HostTensor &b) {
    ck_assert(a.shape() == b.shape());
    float most = 0;
    for (size_t i = 0; i < a.values<float>().size(); ++i) {
        const float here = std::abs(a.values<float>()[i] - b.values<float>()[i]);
        most = here <= most ? most : here;
    }
    return most / largest(a);
}

void assert_same_numbers(const Graph &before, const Graph &after) {
    tvw::verify(after);
    const float off = difference(run(before), run(after));
    ck_assert_msg(off <= 1e-5F, "%s is off by %g:\n%s", before.name().c_str(), double(off),
                  tvw::to_text(after).c_str());
}

size_t count(const Graph &graph, std::string_view name) {
    return size_t(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                [&](const auto &node) { return tvw::op_name(node.op) == name; }));
}

/// Operations, constants and inputs apart.
size_t operations(const Graph &graph) {
    return graph.nodes().size() - count(graph, "constant") - count(graph, "input");
}

/// softmax(q·kᵀ · scale)·v of a projection, as the families write it; `change` changes the scores.
ValueId attention(Sketch &s, ValueId x, int64_t heads,
                  const std::function<ValueId(ValueId)> &change) {
    const Shape of = s.graph.type(x).shape;
    const int64_t depth = of[2] / heads;
    const ValueId qkv = s.linear(x, 3 * of[2]);
    const ValueId apart = s.add(op::Reshape{{of[0], of[1], 3, heads, depth}}, {qkv});
    const ValueId split = s.add(op::Permute{{2, 0, 3, 1, 4}}, {apart});
    const auto part = [&](int64_t i) {
        return s.add(op::Reshape{{of[0], heads, of[1], depth}},
                     {s.add(op::Slice{0, i, i + 1}, {split})});
    };
    const ValueId q = s.add(op::Mul{}, {part(0), s.graph.add_constant({}, one(0.25F))});
    const ValueId k = s.add(op::Permute{{0, 1, 3, 2}}, {part(1)});
    const ValueId v = part(2);
    const ValueId weights = s.add(op::Softmax{}, {change(s.add(op::MatMul{}, {q, k}))});
    const ValueId mixed = s.add(op::Permute{{0, 2, 1, 3}}, {s.add(op::MatMul{}, {weights, v})});
    return s.add(op::Reshape{of}, {mixed});
}

ValueId unchanged(ValueId scores) {
    return scores;
}

/// [N, H, W, C] to windows of 2 × 2 tokens after a shift, and back.
ValueId to_windows(Sketch &s, ValueId x) {
    const Shape of = s.graph.type(x).shape;
    x = s.add(op::Roll{{1, 2}, {-1, -1}}, {x});
    x = s.add(op::Reshape{{of[0], of[1] / 2, 2, of[2] / 2, 2, of[3]}}, {x});
    x = s.add(op::Permute{{0, 1, 3, 2, 4, 5}}, {x});
    return s.add(op::Reshape{{of[0] * of[1] * of[2] / 4, 4, of[3]}}, {x});
}
ValueId from_windows(Sketch &s, ValueId x, const Shape &image) {
    const int64_t width = s.graph.type(x).shape.back();
    x = s.add(op::Reshape{{image[0], image[1] / 2, image[2] / 2, 2, 2, width}}, {x});
    x = s.add(op::Permute{{0, 1, 3, 2, 4, 5}}, {x});
    x = s.add(op::Reshape{{image[0], image[1], image[2], width}}, {x});
    return s.add(op::Roll{{1, 2}, {1, 1}}, {x});
}

/// Random parameters with which every branch matters, and the input reaches the output: weights
/// that keep the size of values, and other than the usual ones and tiny numbers where they are not
/// random (norms, ConvNeXt's scales).
class LivelySource : public tvw::nn::ParameterSource {
public:
    explicit LivelySource(double gain) : gain_(gain) {}

    tvw::StateValue get(const tvw::nn::ParameterRequest &request) override {
        tvw::StateValue value = random_.get(request);
        auto *tensor = std::get_if<HostTensor>(&value);
        if (tensor == nullptr || !tensor->has_data() || tensor->dtype() != DType::kFloat32)
            return value;
        const Shape &shape = tensor->shape();
        const auto values = tensor->mutable_values<float>();
        const bool random =
            std::any_of(values.begin(), values.end(), [&](float v) { return v != values[0]; });
        const bool weight = shape.size() == 2 || (shape.size() == 4 && shape[0] > 1);
        if (weight)
            keep_size(values, values.size() / size_t(shape[0]), random);
        for (size_t i = 0; !random && !weight && i < values.size(); ++i)
            values[i] = (values[i] > 0 ? 1.0F : 0.0F) + 0.2F * std::sin(float(i + 1));
        return value;
    }

private:
    /// Deviation √(gain / inputs).
    void keep_size(std::span<float> values, size_t inputs, bool random) const {
        double sum = 0;
        for (size_t i = 0; i < values.size(); ++i) {
            values[i] = random ? values[i] : std::sin(float(i * i % 1009));
            sum += double(values[i]) * double(values[i]);
        }
        const double scale = std::sqrt(gain_ / double(inputs) * double(values.size()) / sum);
        for (float &value : values)
            value *= float(scale);
    }

    double gain_;
    tvw::nn::RandomSource random_{7};
};

/// At the size the builder is meant for, without values.
Graph shapes_of(const std::string &name) {
    const auto &builder = tvw::find_builder(name);
    tvw::nn::ShapeSource shapes;
    return tvw::build_graph(builder, {}, builder.usual_input({}), shapes);
}

std::vector<std::string> float_builders() {
    std::vector<std::string> names;
    for (const std::string &name : tvw::list_models()) {
        const auto error = error_of([&] { tvw::find_builder(name); });
        if (!error && !name.starts_with("quantized_"))
            names.push_back(name);
    }
    return names;
}

std::vector<int> uses_of(const Graph &graph) {
    std::vector<int> uses(graph.nodes().size());
    for (const auto &node : graph.nodes()) {
        for (const ValueId input : node.inputs)
            ++uses[size_t(input)];
    }
    for (const auto &[name, id] : graph.outputs())
        ++uses[size_t(id)];
    return uses;
}

/// Nodes `after` that are the only use of a convolution without activation.
size_t count_after_conv(const Graph &graph, bool (*is_after)(const tvw::Op &)) {
    const std::vector<int> uses = uses_of(graph);
    return size_t(std::count_if(graph.nodes().begin(), graph.nodes().end(), [&](const auto &node) {
        if (!is_after(node.op))
            return false;
        const auto *conv = std::get_if<op::Conv2d>(&graph.node(node.inputs[0]).op);
        return conv != nullptr && uses[size_t(node.inputs[0])] == 1;
    }));
}

} // namespace

START_TEST(drop_identity_drops_what_changes_nothing) {
    Sketch s({1, 4, 4, 2});
    ValueId x = s.add(op::PadEnd{{0, 0, 0, 0}}, {0});
    x = s.add(op::Slice{1, 0, 4}, {x});
    x = s.add(op::Roll{{1, 2}, {0, 0}}, {x});
    x = s.add(op::Reshape{{1, 4, 4, 2}}, {x});
    x = s.add(op::Permute{{0, 1, 2, 3}}, {x});
    x = s.add(op::Permute{{0, 2, 1, 3}}, {x}); // same shape, other order
    x = s.add(op::Roll{{1, 2}, {1, 0}}, {x});
    const Graph before = s.finish(x);
    const Graph after = tvw::drop_identity(before);
    ck_assert_uint_eq(operations(after), 2);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fold_batch_norm_keeps_the_activation_and_leaves_what_has_one) {
    for (const bool early : {false, true}) {
        Sketch s({1, 3, 4, 4});
        ValueId x = s.add(op::Conv2d{}, {0, s.constant({2, 3, 1, 1})});
        if (early) {
            op::Conv2d conv;
            conv.activation = ActivationKind::kRelu;
            x = s.add(conv, {0, s.constant({2, 3, 1, 1})});
        }
        const HostTensor positive = HostTensor::zeros(DType::kFloat32, {2});
        const ValueId variance = s.graph.add_constant("variance", positive);
        const Graph before =
            s.finish(s.add(op::BatchNorm{1, ActivationKind::kSilu},
                           {x, s.constant({2}), s.constant({2}), s.constant({2}), variance}));
        const Graph after = tvw::fold_batch_norm(before);
        ck_assert_uint_eq(count(after, "batch_norm"), early ? 1 : 0);
        ck_assert(contains(tvw::to_text(after), "activation=silu"));
        assert_same_numbers(before, after);
    }
}
END_TEST

START_TEST(fuse_epilogue_takes_residual_and_activation) {
    Sketch s({1, 3, 5, 5});
    const ValueId shortcut = s.conv(0, 4);
    const ValueId inner = s.relu(s.conv(0, 4, 3));
    const Graph before = s.finish(s.relu(s.add(op::Add{}, {s.conv(inner, 4), shortcut})));
    const Graph after = tvw::fuse_epilogue(before);
    ck_assert_uint_eq(operations(after), 3);
    ck_assert_uint_eq(count(after, "conv2d"), 3);
    const auto &last = after.node(after.outputs()[0].second);
    ck_assert_uint_eq(last.inputs.size(), 4);
    ck_assert(std::get<op::Conv2d>(last.op).activation == ActivationKind::kRelu);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fuse_epilogue_sees_through_views_and_gives_a_bias) {
    Sketch s({2, 5, 6});
    const ValueId y = s.add(op::Linear{}, {0, s.constant({4, 6})});
    const ValueId image = s.add(op::Reshape{{2, 4, 5, 1}}, {s.add(op::Permute{{0, 2, 1}}, {y})});
    const ValueId sum = s.add(op::Add{}, {s.constant({2, 4, 5, 1}), image});
    const Graph before = s.finish(s.add(op::Activation{ActivationKind::kGelu}, {sum}));
    const Graph after = tvw::fuse_epilogue(before);
    ck_assert_uint_eq(count(after, "add"), 0);
    ck_assert_uint_eq(count(after, "gelu"), 0);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fuse_epilogue_gives_activations_to_sums_products_and_norms) {
    Sketch s({1, 3, 4, 4});
    const ValueId variance =
        s.graph.add_constant("variance", HostTensor::zeros(DType::kFloat32, {3}));
    const ValueId norm = s.relu(
        s.add(op::BatchNorm{1}, {0, s.constant({3}), s.constant({3}), s.constant({3}), variance}));
    const ValueId product = s.relu(s.add(op::Mul{}, {norm, s.constant({1, 3, 1, 1})}));
    const Graph before = s.finish(s.relu(s.add(op::Add{}, {product, s.constant({1, 3, 1, 1})})));
    const Graph after = tvw::fuse_epilogue(before);
    ck_assert_uint_eq(operations(after), 3);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fuse_epilogue_leaves_what_others_read) {
    Sketch s({1, 3, 4, 4});
    const ValueId y = s.conv(0, 3);
    const ValueId sum = s.add(op::Add{}, {y, 0});
    const Graph before = s.finish(s.add(op::Mul{}, {s.relu(y), s.add(op::Mul{}, {sum, sum})}));
    const Graph after = tvw::fuse_epilogue(before);
    ck_assert_uint_eq(operations(after), operations(before));
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fold_scale_multiplies_weight_and_bias) {
    Sketch s({1, 3, 4, 4});
    ValueId x = s.add(op::Mul{}, {s.constant({4, 1, 1}), s.conv(0, 4, 3)});
    x = s.add(op::Permute{{0, 2, 3, 1}}, {x});
    x = s.add(op::Mul{}, {s.linear(x, 5), s.constant({5})});
    x = s.add(op::Mul{}, {s.linear(x, 5), s.graph.add_constant({}, one(3))});
    const Graph before = s.finish(x);
    const Graph after = tvw::fold_scale(before);
    ck_assert_uint_eq(count(after, "mul"), 0);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fold_scale_leaves_factors_of_pixels) {
    Sketch s({1, 4, 4, 4});
    const Graph before = s.finish(s.add(op::Mul{}, {s.conv(0, 4), s.constant({4})}));
    ck_assert_uint_eq(count(tvw::fold_scale(before), "mul"), 1);
}
END_TEST

START_TEST(fuse_attention_takes_scale_and_terms) {
    Sketch s({6, 4, 8});
    const auto change = [&](ValueId scores) {
        scores = s.add(op::Add{}, {scores, s.constant({1, 2, 4, 4})});
        scores = s.add(op::Reshape{{2, 3, 2, 4, 4}}, {scores});
        scores = s.add(op::Add{}, {scores, s.constant({1, 3, 1, 4, 4})});
        return s.add(op::Reshape{{6, 2, 4, 4}}, {scores});
    };
    const Graph before = s.finish(attention(s, 0, 2, change));
    const Graph after = tvw::fuse_attention(before);
    ck_assert_uint_eq(count(after, "softmax"), 0);
    ck_assert_uint_eq(count(after, "mul"), 0);
    ck_assert(contains(tvw::to_text(after), "attention(") &&
              contains(tvw::to_text(after), "scale=0.25"));
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fuse_attention_multiplies_the_scale_of_heads_into_queries) {
    Sketch s({2, 4, 8});
    const auto change = [&](ValueId scores) {
        return s.add(op::Mul{}, {scores, s.constant({2, 1, 1})});
    };
    const Graph before = s.finish(attention(s, 0, 2, change));
    const Graph after = tvw::fuse_attention(before);
    ck_assert_uint_eq(count(after, "attention"), 1);
    ck_assert_uint_eq(count(after, "mul"), 1);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fuse_attention_leaves_terms_that_are_scaled_too) {
    Sketch s({2, 4, 8});
    const auto change = [&](ValueId scores) {
        scores = s.add(op::Add{}, {scores, s.constant({4, 4})});
        return s.add(op::Mul{}, {scores, s.graph.add_constant({}, one(2))});
    };
    const Graph before = s.finish(attention(s, 0, 2, change));
    ck_assert_uint_eq(count(tvw::fuse_attention(before), "attention"), 0);
}
END_TEST

START_TEST(attention_reads_the_rows_of_windows_from_the_image) {
    const Shape image{2, 4, 6, 8};
    Sketch s(image);
    const auto change = [&](ValueId scores) {
        return s.add(op::Add{}, {scores, s.constant({4, 4})});
    };
    ValueId x = attention(s, to_windows(s, s.layer_norm(0)), 2, change);
    x = s.add(op::Add{}, {from_windows(s, s.linear(x, 8), image), 0});
    const Graph before = s.finish(x);
    const Graph after = tvw::fuse_epilogue(tvw::move_rows(tvw::fuse_attention(before)));
    ck_assert_uint_eq(count(after, "roll"), 0);
    ck_assert_uint_eq(count(after, "permute"), 0);
    ck_assert_uint_eq(count(after, "add"), 0);
    ck_assert(contains(tvw::to_text(after), "tokens=4 rows=48"));
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(move_rows_works_within_padding) {
    const Shape image{1, 3, 5, 8};
    Sketch s(image);
    const ValueId padded = s.add(op::PadEnd{{0, 1, 1, 0}}, {s.layer_norm(0)});
    ValueId x = s.linear(attention(s, to_windows(s, padded), 2, unchanged), 8);
    x = s.add(op::Slice{1, 0, 3}, {from_windows(s, x, {1, 4, 6, 8})});
    x = s.add(op::Slice{2, 0, 5}, {x});
    const Graph before = s.finish(s.add(op::Add{}, {x, 0}));
    const Graph after = tvw::move_rows(tvw::fuse_attention(before));
    ck_assert_uint_eq(count(after, "roll"), 0);
    ck_assert_uint_eq(count(after, "pad_end"), 1);
    ck_assert_uint_eq(count(after, "slice"), 5);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(move_rows_keeps_what_nothing_undoes) {
    Sketch s({1, 4, 4, 8});
    const ValueId windows = to_windows(s, s.layer_norm(0));
    const Graph before = s.finish(s.add(op::Add{}, {s.linear(windows, 8), s.constant({4, 4, 8})}));
    const Graph after = tvw::move_rows(before);
    ck_assert_uint_eq(count(after, "roll"), 1);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(a_convnext_block_is_four_layers) {
    Sketch s({2, 8, 5, 5});
    const ValueId start = s.conv(0, 8);
    ValueId x = s.add(op::Permute{{0, 2, 3, 1}}, {s.conv(start, 8, 3)});
    x = s.add(op::Activation{ActivationKind::kGelu}, {s.linear(s.layer_norm(x), 16)});
    x = s.add(op::Permute{{0, 3, 1, 2}}, {s.linear(x, 8)});
    x = s.add(op::Mul{}, {s.constant({8, 1, 1}), x});
    const Graph before = s.finish(s.conv(s.add(op::Add{}, {x, start}), 3));
    const Graph after = tvw::run_passes(before);
    ck_assert_uint_eq(count(after, "mul") + count(after, "add") + count(after, "gelu"), 0);
    ck_assert_uint_eq(operations(after) - count(after, "permute"), 6);
    assert_same_numbers(before, after);
}
END_TEST

START_TEST(fused_nodes_keep_the_names_of_their_layers) {
    Sketch s({1, 3, 4, 4});
    const ValueId weight = s.constant({3, 3, 1, 1});
    const ValueId y = s.graph.add(op::Conv2d{}, {0, weight, s.constant({3})}, "layer1.conv");
    const Graph before = s.finish(s.relu(s.add(op::Add{}, {y, 0})));
    const std::string text = tvw::to_text(tvw::fuse_epilogue(before));
    ck_assert_msg(contains(text, "%layer1.conv = conv2d("), "%s", text.c_str());
}
END_TEST

START_TEST(passes_fuse_what_they_can_in_every_family) {
    const auto is_activation = [](const tvw::Op &operation) {
        return std::holds_alternative<op::Activation>(operation);
    };
    const auto is_norm = [](const tvw::Op &operation) {
        return std::holds_alternative<op::BatchNorm>(operation);
    };
    const std::vector<std::string> names = float_builders();
    ck_assert_uint_gt(names.size(), 70);
    for (const std::string &name : names) {
        const Graph graph = tvw::run_passes(shapes_of(name));
        const auto none = [&](size_t left, const char *what) {
            ck_assert_msg(left == 0, "%zu %s left in %s", left, what, name.c_str());
        };
        none(count_after_conv(graph, is_activation), "activation after a convolution");
        none(count_after_conv(graph, is_norm), "batch norm after a convolution");
        none(count(graph, "softmax"), "softmax");
        none(count(graph, "identity"), "identity");
        none(count(graph, "roll"), "roll");
    }
}
END_TEST

START_TEST(windows_are_cut_nowhere) {
    for (const char *name : {"swin_t", "swin_v2_t", "maxvit_t"}) {
        const Graph graph = tvw::run_passes(shapes_of(name));
        for (const auto &node : graph.nodes()) {
            const bool cut =
                std::holds_alternative<op::Permute>(node.op) && node.type.shape.size() > 5;
            ck_assert_msg(!cut, "%s:\n%s", name, tvw::to_text(graph).c_str());
        }
    }
}
END_TEST

struct Case {
    const char *name;
    int64_t size;
    double gain = 2; ///< less where values would grow from block to block, and errors with them
    tvw::Arguments arguments = {};
};

const Case kCases[] = {
    {"alexnet", 64},
    {"convnext_tiny", 64},
    {"densenet121", 64},
    {"efficientnet_b0", 64},
    {"efficientnet_v2_s", 64, 1},
    {"googlenet", 64},
    {"inception_v3", 96},
    {"maxvit_t", 224, 1},
    {"mnasnet0_5", 64},
    {"mobilenet_v2", 64},
    {"mobilenet_v3_small", 64},
    {"regnet_y_400mf", 64},
    {"resnet50", 64},
    {"shufflenet_v2_x0_5", 64},
    {"squeezenet1_1", 64},
    {"swin_t", 224},
    {"swin_t", 100},
    {"swin_v2_t", 256},
    {"vgg11_bn", 32},
    {"vit_b_32", 64, 2, {{"image_size", int64_t{64}}}},
};

START_TEST(passes_keep_the_numbers_of_every_family) {
    const Case &tested = kCases[_i];
    LivelySource source(tested.gain);
    const Graph before = tvw::build_graph(tvw::find_builder(tested.name), tested.arguments,
                                          {2, 3, tested.size, tested.size}, source);
    const HostTensor expected = run(before);
    ck_assert_msg(difference(expected, run(before, 2)) > 1e-3F, "%s says the same of another input",
                  tested.name);
    const float off = difference(expected, run(tvw::run_passes(before)));
    ck_assert_msg(off <= 1e-5F, "%s is off by %g", tested.name, double(off));
}
END_TEST

int main() {
    Suite *suite = suite_create("passes");
    TCase *all = tcase_create("passes");
    tcase_set_timeout(all, 300);
    for (const TTest *test :
         {drop_identity_drops_what_changes_nothing,
          fold_batch_norm_keeps_the_activation_and_leaves_what_has_one,
          fuse_epilogue_takes_residual_and_activation,
          fuse_epilogue_sees_through_views_and_gives_a_bias,
          fuse_epilogue_gives_activations_to_sums_products_and_norms,
          fuse_epilogue_leaves_what_others_read, fold_scale_multiplies_weight_and_bias,
          fold_scale_leaves_factors_of_pixels, fuse_attention_takes_scale_and_terms,
          fuse_attention_multiplies_the_scale_of_heads_into_queries,
          fuse_attention_leaves_terms_that_are_scaled_too,
          attention_reads_the_rows_of_windows_from_the_image, move_rows_works_within_padding,
          move_rows_keeps_what_nothing_undoes, a_convnext_block_is_four_layers,
          fused_nodes_keep_the_names_of_their_layers, passes_fuse_what_they_can_in_every_family,
          windows_are_cut_nowhere})
        tcase_add_test(all, test);
    tcase_add_loop_test(all, passes_keep_the_numbers_of_every_family, 0, int(std::size(kCases)));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
