// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations element by element, and batch norms that no convolution took.
#include "backends/cpu/layer.h"
#include "backends/cpu/lower.h"

#include "backends/cpu/kernels/elementwise.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tvw::cpu {
namespace {

/// The order in which images lie, and back.
constexpr std::array<int64_t, 4> kToPixels{0, 2, 3, 1};

bool is_image(const View &view) {
    return pixel_stride(view).has_value() && view.strides[1] == 1 && view.shape[1] != 1;
}

/// Dimensions as they lie: the innermost last.
View as_it_lies(const View &view, bool image) {
    return image ? permuted(view, kToPixels) : view;
}

/// As if repeated to `shape`.
View broadcast(const View &view, const Shape &shape) {
    View result{view.buffer, view.offset, shape, std::vector<int64_t>(shape.size(), 0)};
    const size_t missing = shape.size() - view.shape.size();
    for (size_t i = 0; i < view.shape.size(); ++i) {
        if (view.shape[i] != 1)
            result.strides[missing + i] = view.strides[i];
    }
    return result;
}

/// Rows of the two operands and the result: loops around, and what one call of the kernel does.
struct Nest {
    struct Loop {
        int64_t size;
        int64_t a;
        int64_t b;
        int64_t y;
    };
    std::vector<Loop> loops; ///< all but the last are walked; the last is the kernel's rows
    int64_t channels;
};

Nest nest_of(const View &a, const View &b, const View &y) {
    Nest nest{{}, y.shape.empty() ? 1 : y.shape.back()};
    for (size_t i = 0; i + 1 < y.shape.size(); ++i) {
        if (y.shape[i] == 1)
            continue;
        const Nest::Loop loop{y.shape[i], a.strides[i], b.strides[i], y.strides[i]};
        if (!nest.loops.empty()) {
            Nest::Loop &outer = nest.loops.back();
            if (outer.a == loop.a * loop.size && outer.b == loop.b * loop.size &&
                outer.y == loop.y * loop.size) {
                outer = {outer.size * loop.size, loop.a, loop.b, loop.y};
                continue;
            }
        }
        nest.loops.push_back(loop);
    }
    if (nest.loops.empty())
        nest.loops.push_back({1, 0, 0, 0});
    return nest;
}

void run_nest(const Nest &nest, size_t depth, Combine how, std::optional<op::ActivationKind> kind,
              const float *a, const float *b, float *y) {
    const Nest::Loop &loop = nest.loops[depth];
    if (depth + 1 == nest.loops.size())
        return combine(how, loop.size, nest.channels, {a, loop.a}, {b, loop.b}, kind, {y, loop.y});
    for (int64_t i = 0; i < loop.size; ++i)
        run_nest(nest, depth + 1, how, kind, a + i * loop.a, b + i * loop.b, y + i * loop.y);
}

bool ends_densely(const View &view) {
    return view.shape.empty() || view.shape.back() == 1 || view.strides.back() == 1;
}

/// An operand of the result's shape that the kernel can read.
View operand(Planner &planner, ValueId id, const View &view, const View &y, bool image) {
    const View whole = broadcast(view, y.shape);
    if (ends_densely(as_it_lies(whole, image)))
        return whole;
    const View buffer = planner.scratch(numel(y.shape));
    const View repeated{buffer.buffer, 0, y.shape,
                        image ? channels_last(y.shape) : row_major(y.shape)};
    planner.copy(id, whole, repeated);
    return repeated;
}

/// Squeeze-excitation's product, if it can be left to the 1×1 convolutions that read it.
bool leave_scale(Planner &planner, ValueId id) {
    const Graph &graph = planner.graph();
    const Node &node = graph.node(id);
    const Shape &shape = node.type.shape;
    if (shape.size() != 4 || !std::ranges::all_of(planner.users(id), [&](ValueId user) {
            return user >= 0 && graph.node(user).inputs[0] == id && is_pixel_wise(graph, user) &&
                   std::ranges::count(graph.node(user).inputs, id) == 1;
        }))
        return false;
    const Shape gate{shape[0], shape[1], 1, 1};
    for (const size_t x : {0, 1}) {
        if (graph.type(node.inputs[x]).shape != shape ||
            graph.type(node.inputs[1 - x]).shape != gate || shape == gate)
            continue;
        planner.set_scaled(
            id, {planner.as_image(node.inputs[x]), planner.as_row_major(node.inputs[1 - x])});
        return true;
    }
    return false;
}

} // namespace

void lower_combine(Planner &planner, ValueId id, bool multiply,
                   std::optional<op::ActivationKind> kind) {
    if (multiply && !kind && leave_scale(planner, id))
        return;
    const Node &node = planner.graph().node(id);
    const View first = planner.view(node.inputs[0]);
    const View second = planner.view(node.inputs[1]);
    const bool image = (is_image(first) && first.shape == node.type.shape) ||
                       (is_image(second) && second.shape == node.type.shape);
    const View y = image ? planner.image_result(id) : planner.row_major_result(id);
    const View a = operand(planner, id, first, y, image);
    const View b = operand(planner, id, second, y, image);
    const Nest nest = nest_of(as_it_lies(a, image), as_it_lies(b, image), as_it_lies(y, image));
    const Combine how = multiply ? Combine::kMul : Combine::kAdd;
    planner.add({.node = id,
                 .kernel = multiply ? "multiply" : "add",
                 .reads = {a, b},
                 .writes = {y},
                 .run =
                     [=](const Memory &memory) {
                         run_nest(nest, 0, how, kind, memory.at(a), memory.at(b), memory.at(y));
                     }},
                numel(y.shape) * 8);
}

void lower_activation(Planner &planner, ValueId id, const op::Activation &activation) {
    const Node &node = planner.graph().node(id);
    const View x = planner.as_dense(node.inputs[0]);
    const View y = planner.result(id, x.strides);
    const int64_t count = numel(x.shape);
    planner.add({.node = id,
                 .kernel = "activation",
                 .reads = {x},
                 .writes = {y},
                 .run =
                     [=, kind = activation.kind](const Memory &memory) {
                         tvw::cpu::activation(count, memory.at(x), kind, memory.at(y));
                     }},
                count * 8);
}

void lower_batch_norm(Planner &planner, ValueId id, const op::BatchNorm &norm) {
    const Node &node = planner.graph().node(id);
    std::array<const HostTensor *, 4> parameters{};
    for (size_t i = 0; i < parameters.size(); ++i) {
        parameters[i] = planner.constant(node.inputs[i + 1]);
        if (parameters[i] == nullptr || node.type.shape.size() != 4)
            return lower_aten(planner, id);
    }
    const auto values = [&](size_t i) { return parameters[i]->contiguous(); };
    const HostTensor weight = values(0);
    const HostTensor bias = values(1);
    const HostTensor mean = values(2);
    const HostTensor variance = values(3);
    HostTensor scale = HostTensor::zeros(DType::kFloat32, weight.shape());
    HostTensor shift = HostTensor::zeros(DType::kFloat32, weight.shape());
    for (size_t c = 0; c < size_t(weight.numel()); ++c) {
        const double factor = double(weight.values<float>()[c]) /
                              std::sqrt(double(variance.values<float>()[c]) + norm.eps);
        scale.mutable_values<float>()[c] = float(factor);
        shift.mutable_values<float>()[c] =
            float(double(bias.values<float>()[c]) - double(mean.values<float>()[c]) * factor);
    }
    const PlacedImage x(planner.as_image(node.inputs[0]));
    const PlacedImage y(planner.image_result(id));
    planner.add({.node = id,
                 .kernel = "scale and shift",
                 .reads = {x.view()},
                 .writes = {y.view()},
                 .run =
                     [=, kind = norm.activation](const Memory &memory) {
                         const auto from = x.in<const float>(memory);
                         const auto to = y.in<float>(memory);
                         scale_and_shift(x.pixels(), x.channels(), {from.data, from.pixel},
                                         scale.values<float>().data(), shift.values<float>().data(),
                                         {nullptr, 0}, kind, {to.data, to.pixel});
                     }},
                numel(node.type.shape) * 8);
}

} // namespace tvw::cpu
