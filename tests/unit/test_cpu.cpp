// SPDX-License-Identifier: LGPL-2.1-or-later
// The CPU backend against the reference backend: each operation over random shapes, layouts and
// attributes, alone and beside others.
#include "support/run_plan.h"
#include "support/suite.h"

#include "backends/backend.h"
#include "backends/cpu/pack_cache.h"
#include "passes/pass.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

using tvw::DType;
using tvw::Graph;
using tvw::HostTensor;
using tvw::Shape;
using tvw::ValueId;
using tvw::op::ActivationKind;

namespace {

constexpr int kRounds = 12;

/// Everything that is drawn comes from here; a failure prints the seed of its round.
class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}

    int64_t integer(int64_t least, int64_t most) {
        return std::uniform_int_distribution<int64_t>(least, most)(engine_);
    }
    bool coin() { return integer(0, 1) == 1; }
    template<typename T>
    T one_of(std::initializer_list<T> choices) {
        return *(choices.begin() + integer(0, int64_t(choices.size()) - 1));
    }
    HostTensor tensor(const Shape &shape, float scale = 1) {
        std::normal_distribution<float> normal(0, scale);
        HostTensor tensor = HostTensor::zeros(DType::kFloat32, shape);
        std::ranges::generate(tensor.mutable_values<float>(), [&] { return normal(engine_); });
        return tensor;
    }
    std::optional<ActivationKind> activation() {
        if (coin())
            return std::nullopt;
        return ActivationKind(integer(0, int64_t(ActivationKind::kTanh)));
    }

private:
    std::mt19937 engine_;
};

/// A graph under construction, with random parameters.
struct Net {
    explicit Net(unsigned seed) : random(seed) {}

    Random random;
    Graph graph{"test"};

    ValueId input(const Shape &shape) {
        const ValueId id = graph.add_input("input", {DType::kFloat32, shape});
        // What comes from outside is in C order; what other operations make often is not.
        if (shape.size() == 4 && random.coin())
            return conv(id, shape[1], {1, 1}, {});
        return id;
    }
    ValueId constant(const Shape &shape, float scale = 1) {
        return graph.add_constant("constant" + std::to_string(graph.nodes().size()),
                                  random.tensor(shape, scale));
    }
    const Shape &shape(ValueId id) const { return graph.type(id).shape; }

    ValueId conv(ValueId x, int64_t out, const tvw::Size2 &kernel, tvw::op::Conv2d op,
                 std::optional<ValueId> residual = {}) {
        const int64_t in = shape(x)[1] / op.groups;
        const float scale = 1 / std::sqrt(float(in * kernel[0] * kernel[1]));
        std::vector<ValueId> inputs{x, constant({out, in, kernel[0], kernel[1]}, scale)};
        if (residual || random.coin())
            inputs.push_back(constant({out}));
        if (residual)
            inputs.push_back(*residual);
        return graph.add(op, inputs);
    }
    ValueId linear(ValueId x, int64_t out, const tvw::op::Linear &op = {},
                   std::optional<ValueId> residual = {}) {
        const int64_t in = shape(x).back();
        std::vector<ValueId> inputs{x, constant({out, in}, 1 / std::sqrt(float(in)))};
        if (residual || random.coin())
            inputs.push_back(constant({out}));
        if (residual)
            inputs.push_back(*residual);
        return graph.add(op, inputs);
    }
    void output(ValueId id) { graph.add_output("output" + std::to_string(id), id); }
};

double largest(std::span<const float> values) {
    double most = 0;
    for (const float value : values)
        most = std::max(most, std::abs(double(value)));
    return most;
}

void compare(const std::vector<HostTensor> &expected, const std::vector<HostTensor> &actual,
             unsigned seed) {
    ck_assert_uint_eq(expected.size(), actual.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        const auto want = expected[i].values<float>();
        const auto have = actual[i].values<float>();
        ck_assert(expected[i].shape() == actual[i].shape());
        const double most = largest(want);
        for (size_t j = 0; j < want.size(); ++j)
            ck_assert_msg(std::abs(double(want[j]) - double(have[j])) <= 1e-4 * most + 1e-6,
                          "seed %u: output %zu, element %zu is %g, expected %g", seed, i, j,
                          double(have[j]), double(want[j]));
    }
}

/// Runs the graph on both backends with one and with two threads, twice each.
void check(Net &net, unsigned seed) {
    std::vector<HostTensor> inputs;
    for (const tvw::Node &node : net.graph.nodes()) {
        if (std::holds_alternative<tvw::op::Input>(node.op))
            inputs.push_back(net.random.tensor(node.type.shape));
    }
    const std::vector<HostTensor> expected =
        tvw::test::run(*tvw::make_reference_plan(net.graph), inputs);
    for (const int threads : {1, 2}) {
        tvw::set_backend_threads(threads);
        tvw::cpu::PackCache cache;
        const auto plan = tvw::make_cpu_plan(net.graph, cache);
        const std::vector<HostTensor> first = tvw::test::run(*plan, inputs);
        compare(expected, first, seed);
        const std::vector<HostTensor> second = tvw::test::run(*plan, inputs);
        for (size_t i = 0; i < first.size(); ++i)
            ck_assert_msg(std::ranges::equal(first[i].values<float>(), second[i].values<float>()),
                          "seed %u: two runs differ", seed);
    }
}

template<typename Build>
void over_random_graphs(const Build &build) {
    const char *given = std::getenv("TVW_TEST_SEED");
    const unsigned first = given != nullptr ? unsigned(std::atoi(given)) : 1;
    for (unsigned seed = first; seed < first + kRounds; ++seed) {
        Net net(seed);
        build(net);
        check(net, seed);
    }
}

Shape image(Random &random) {
    return {random.integer(1, 2), random.integer(1, 40), random.integer(1, 20),
            random.integer(1, 20)};
}

tvw::op::Conv2d conv_options(Random &random, const Shape &image, const tvw::Size2 &kernel) {
    tvw::op::Conv2d op;
    op.stride = {random.integer(1, 2), random.integer(1, 2)};
    op.dilation = {random.integer(1, 2), random.integer(1, 2)};
    op.activation = random.activation();
    for (size_t i = 0; i < 4; ++i) {
        // Enough for one window at least.
        const int64_t reach = op.dilation[i % 2] * (kernel[i % 2] - 1) + 1;
        op.padding[i] = std::max(random.integer(0, 2), (reach - image[2 + i % 2] + 1) / 2);
    }
    return op;
}

} // namespace

START_TEST(convolutions_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(image(net.random));
        const tvw::Size2 kernel{net.random.integer(1, 5), net.random.integer(1, 5)};
        net.output(net.conv(x, net.random.integer(1, 40), kernel,
                            conv_options(net.random, net.shape(x), kernel)));
    });
}
END_TEST

START_TEST(three_by_three_convolutions_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input({1, net.random.integer(16, 80), net.random.integer(12, 40),
                                     net.random.integer(12, 40)});
        tvw::op::Conv2d op{.padding = {1, 1, 1, 1}};
        const ValueId first = net.conv(x, net.random.integer(16, 80), {3, 3}, op);
        const ValueId second = net.conv(first, net.shape(first)[1], {3, 3}, op, first);
        op.activation = net.random.activation();
        net.output(net.conv(second, net.shape(first)[1], {3, 3}, op, first));
    });
}
END_TEST

START_TEST(grouped_convolutions_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        const int64_t groups = net.random.integer(2, 6);
        Shape shape = image(net.random);
        shape[1] = groups * net.random.integer(1, 8);
        const ValueId x = net.input(shape);
        const tvw::Size2 kernel{net.random.integer(1, 3), net.random.integer(1, 3)};
        tvw::op::Conv2d op = conv_options(net.random, shape, kernel);
        op.groups = groups;
        net.output(net.conv(x, groups * net.random.integer(1, 8), kernel, op));
    });
}
END_TEST

START_TEST(depthwise_convolutions_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        Shape shape = image(net.random);
        shape[1] = net.random.integer(2, 70);
        const ValueId x = net.input(shape);
        const int64_t side = net.random.one_of<int64_t>({3, 5, 7});
        tvw::op::Conv2d op = conv_options(net.random, shape, {side, side});
        op.groups = shape[1];
        const ValueId y = net.conv(x, shape[1], {side, side}, op);
        net.output(y);
        if (net.random.coin())
            net.output(net.graph.add(tvw::op::AdaptiveAvgPool2d{}, {y}));
    });
}
END_TEST

START_TEST(expansions_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        // So large that the expanded image is never there as a whole.
        const ValueId x = net.input({net.random.integer(1, 2), net.random.integer(1, 30),
                                     net.random.integer(60, 80), net.random.integer(60, 80)});
        const int64_t channels = 16 * net.random.integer(5, 7);
        const ValueId expanded =
            net.conv(x, channels, {1, 1}, {.activation = net.random.activation()});
        const int64_t side = net.random.one_of<int64_t>({3, 5, 7});
        tvw::op::Conv2d op = conv_options(net.random, net.shape(expanded), {side, side});
        op.groups = channels;
        const ValueId y = net.conv(expanded, channels, {side, side}, op);
        net.output(y);
        if (net.random.coin())
            net.output(net.graph.add(tvw::op::AdaptiveAvgPool2d{}, {y}));
        if (net.random.integer(0, 3) == 0)
            net.output(expanded); // then it is
    });
}
END_TEST

START_TEST(residuals_are_added_before_the_activation) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(image(net.random));
        const int64_t channels = net.shape(x)[1];
        const ValueId side = net.conv(x, channels, {1, 1}, {.activation = net.random.activation()});
        const int64_t kernel = net.random.one_of<int64_t>({1, 3});
        const int64_t padding = kernel / 2;
        net.output(net.conv(x, channels, {kernel, kernel},
                            {.padding = {padding, padding, padding, padding},
                             .activation = net.random.activation()},
                            net.random.coin() ? side : x));
        net.output(side);
    });
}
END_TEST

START_TEST(linear_layers_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(
            {net.random.integer(1, 3), net.random.integer(1, 60), net.random.integer(1, 80)});
        const ValueId wide =
            net.linear(x, 3 * net.random.integer(1, 50), {.activation = net.random.activation()});
        // A third of each vector, as attention's queries are.
        const int64_t third = net.shape(wide)[2] / 3;
        const ValueId part = net.graph.add(tvw::op::Slice{2, third, 2 * third}, {wide});
        const ValueId y = net.linear(part, net.shape(x)[2]);
        net.output(net.linear(y, net.shape(x)[2], {.activation = net.random.activation()}, x));
    });
}
END_TEST

START_TEST(classifiers_take_flattened_images) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(image(net.random));
        const ValueId flat = net.graph.add(tvw::op::Flatten{1}, {x});
        net.output(net.linear(flat, net.random.integer(1, 100)));
    });
}
END_TEST

START_TEST(concatenations_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(image(net.random));
        // As DenseNet: everything so far joined, normalised, and convolved.
        std::vector<ValueId> parts{x};
        const tvw::op::Conv2d same{.padding = {1, 1, 1, 1}};
        for (int i = 0; i < 3; ++i) {
            const ValueId joined = net.graph.add(tvw::op::Concat{1}, parts);
            const int64_t width = net.shape(joined)[1];
            const ValueId norm = net.graph.add(
                tvw::op::BatchNorm{.activation = ActivationKind::kRelu},
                {joined, net.constant({width}), net.constant({width}), net.constant({width}),
                 net.graph.add(tvw::op::Activation{ActivationKind::kExp},
                               {net.constant({width})})});
            parts.push_back(net.conv(norm, net.random.integer(1, 20), {3, 3}, same));
        }
        if (net.random.coin())
            std::swap(parts[1], parts[2]);
        net.output(net.graph.add(tvw::op::Concat{1}, parts));
        net.output(net.graph.add(tvw::op::Concat{1}, {parts[2], x, parts[2]}));
    });
}
END_TEST

START_TEST(channels_are_shuffled) {
    over_random_graphs([](Net &net) {
        Shape shape = image(net.random);
        shape[1] *= 2;
        const ValueId x = net.input(shape);
        const int64_t half = shape[1] / 2;
        const ValueId a = net.graph.add(tvw::op::Slice{1, 0, half}, {x});
        const ValueId b = net.graph.add(tvw::op::Slice{1, half, shape[1]}, {x});
        const ValueId joined =
            net.graph.add(tvw::op::Concat{1}, {a, net.conv(b, half, {1, 1}, {.activation = {}})});
        const ValueId split =
            net.graph.add(tvw::op::Reshape{{shape[0], 2, half, shape[2], shape[3]}}, {joined});
        const ValueId turned = net.graph.add(tvw::op::Permute{{0, 2, 1, 3, 4}}, {split});
        const ValueId y = net.graph.add(tvw::op::Reshape{shape}, {turned});
        net.output(net.conv(y, half, {1, 1}, {}));
    });
}
END_TEST

START_TEST(pools_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        Shape shape = image(net.random);
        shape[2] += 3;
        shape[3] += 3;
        const ValueId x = net.input(shape);
        const tvw::Size2 kernel{net.random.integer(1, 3), net.random.integer(1, 3)};
        const tvw::Size2 stride{net.random.integer(1, 3), net.random.integer(1, 3)};
        const tvw::Size2 padding{kernel[0] / 2, kernel[1] / 2};
        const bool ceil_mode = net.random.coin();
        net.output(net.graph.add(tvw::op::MaxPool2d{kernel, stride, padding, ceil_mode}, {x}));
        net.output(net.graph.add(tvw::op::AvgPool2d{kernel, stride, padding}, {x}));
        net.output(net.graph.add(tvw::op::SpatialMean{}, {x}));
        const tvw::Size2 size{net.random.integer(1, 7), net.random.integer(1, 7)};
        net.output(net.graph.add(tvw::op::AdaptiveAvgPool2d{size}, {x}));
    });
}
END_TEST

START_TEST(squeezed_images_are_scaled) {
    over_random_graphs([](Net &net) {
        Shape shape = image(net.random);
        const ValueId x = net.input(shape);
        const ValueId wide =
            net.conv(x, net.random.integer(1, 70), {1, 1}, {.activation = net.random.activation()});
        const ValueId mean = net.graph.add(tvw::op::AdaptiveAvgPool2d{}, {wide});
        const ValueId squeezed = net.conv(mean, 4, {1, 1}, {.activation = ActivationKind::kRelu});
        const ValueId gate = net.conv(squeezed, net.shape(wide)[1], {1, 1},
                                      {.activation = ActivationKind::kSigmoid});
        const ValueId scaled = net.random.coin() ? net.graph.add(tvw::op::Mul{}, {wide, gate})
                                                 : net.graph.add(tvw::op::Mul{}, {gate, wide});
        if (net.random.coin())
            net.output(scaled);
        net.output(net.conv(scaled, net.random.integer(1, 70), {1, 1}, {}));
    });
}
END_TEST

START_TEST(sums_and_products_broadcast) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(image(net.random));
        const Shape shape = net.shape(x);
        for (const Shape &other :
             {shape, Shape{shape[1], 1, 1}, Shape{1, shape[1], 1, 1}, Shape{},
              Shape{shape[0], shape[1], 1, 1}, Shape{1, shape[2], shape[3]}, Shape{shape[3]}}) {
            net.output(
                net.graph.add(tvw::op::Add{net.random.activation()}, {x, net.constant(other)}));
            net.output(
                net.graph.add(tvw::op::Mul{net.random.activation()}, {net.constant(other), x}));
        }
        net.output(net.graph.add(tvw::op::Add{net.random.activation()}, {x, x}));
        net.output(
            net.graph.add(tvw::op::Activation{ActivationKind(net.random.integer(0, 7))}, {x}));
    });
}
END_TEST

START_TEST(normalisations_are_the_reference_s) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(image(net.random));
        const ValueId rows = net.graph.add(tvw::op::Permute{{0, 2, 3, 1}}, {x});
        const int64_t width = net.shape(rows)[3];
        const ValueId norm = net.graph.add(tvw::op::LayerNorm{1e-6},
                                           {rows, net.constant({width}), net.constant({width})});
        net.output(norm);
        net.output(net.graph.add(tvw::op::Permute{{0, 3, 1, 2}}, {norm}));
        net.output(net.graph.add(tvw::op::Softmax{}, {rows}));
        net.output(net.graph.add(tvw::op::Normalize{}, {norm}));
        net.output(net.graph.add(tvw::op::Softmax{}, {x}));
    });
}
END_TEST

START_TEST(attention_is_the_reference_s) {
    over_random_graphs([](Net &net) {
        const int64_t batch = net.random.integer(1, 4);
        const int64_t tokens = net.random.integer(1, 70);
        const int64_t heads = net.random.integer(1, 4);
        const int64_t depth = net.random.integer(1, 40);
        const ValueId x = net.input({batch, tokens, heads * depth});
        const ValueId qkv = net.linear(x, 3 * heads * depth);
        const ValueId split = net.graph.add(
            tvw::op::Permute{{2, 0, 3, 1, 4}},
            {net.graph.add(tvw::op::Reshape{{batch, tokens, 3, heads, depth}}, {qkv})});
        std::vector<ValueId> inputs;
        for (int64_t i = 0; i < 3; ++i)
            inputs.push_back(net.graph.add(tvw::op::Reshape{{batch, heads, tokens, depth}},
                                           {net.graph.add(tvw::op::Slice{0, i, i + 1}, {split})}));
        if (net.random.coin())
            inputs.push_back(net.constant({1, heads, tokens, tokens}));
        if (net.random.coin())
            inputs.push_back(net.constant({batch, 1, tokens, tokens}));
        net.output(net.graph.add(tvw::op::Attention{.scale = 0.3}, inputs));
        const ValueId turned = net.graph.add(tvw::op::Permute{{0, 1, 3, 2}}, {inputs[1]});
        net.output(net.graph.add(tvw::op::MatMul{}, {inputs[0], turned}));
    });
}
END_TEST

START_TEST(images_are_rolled_padded_and_cut) {
    over_random_graphs([](Net &net) {
        const ValueId x = net.input(image(net.random));
        const ValueId rows = net.graph.add(tvw::op::Permute{{0, 2, 3, 1}}, {x});
        const ValueId padded = net.graph.add(
            tvw::op::PadEnd{{0, net.random.integer(0, 3), net.random.integer(0, 3), 0}}, {rows});
        const ValueId rolled = net.graph.add(
            tvw::op::Roll{{1, 2}, {net.random.integer(-4, 4), net.random.integer(-4, 4)}},
            {padded});
        net.output(rolled);
        net.output(net.graph.add(
            tvw::op::Slice{1, net.shape(rolled)[1] / 2, net.shape(rolled)[1], 2}, {rolled}));
        const Shape &shape = net.shape(rolled);
        net.output(
            net.graph.add(tvw::op::Reshape{{shape[0] * shape[1], shape[2] * shape[3]}}, {rolled}));
    });
}
END_TEST

START_TEST(nan_reaches_the_result) {
    for (const int64_t kernel : {1, 3, 5}) {
        for (const auto activation : {ActivationKind::kRelu, ActivationKind::kRelu6,
                                      ActivationKind::kHardswish, ActivationKind::kSilu}) {
            Net net(1);
            const ValueId x = net.graph.add_input("input", {DType::kFloat32, {1, 24, 20, 20}});
            const int64_t padding = kernel / 2;
            const ValueId y = net.conv(
                x, 24, {kernel, kernel},
                {.padding = {padding, padding, padding, padding}, .activation = activation});
            net.output(net.graph.add(tvw::op::MaxPool2d{{2, 2}, {2, 2}}, {y}));
            HostTensor input = net.random.tensor({1, 24, 20, 20});
            input.mutable_values<float>()[0] = NAN;
            tvw::cpu::PackCache cache;
            const auto plan = tvw::make_cpu_plan(net.graph, cache);
            const HostTensor output = tvw::test::run(*plan, {input}).at(0);
            ck_assert_float_nan(output.values<float>()[0]);
        }
    }
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "cpu",
        {convolutions_are_the_reference_s, three_by_three_convolutions_are_the_reference_s,
         grouped_convolutions_are_the_reference_s, depthwise_convolutions_are_the_reference_s,
         expansions_are_the_reference_s, residuals_are_added_before_the_activation,
         linear_layers_are_the_reference_s, classifiers_take_flattened_images,
         concatenations_are_the_reference_s, channels_are_shuffled, pools_are_the_reference_s,
         squeezed_images_are_scaled, sums_and_products_broadcast,
         normalisations_are_the_reference_s, attention_is_the_reference_s,
         images_are_rolled_padded_and_cut, nan_reaches_the_result},
        /*timeout_s=*/300);
}
