// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations that move elements: views where strides can say it, copies where they cannot.
#include "backends/cpu/lower.h"

#include "backends/cpu/copy.h"

#include <algorithm>
#include <cstring>

namespace tvw::cpu {
namespace {

/// The result's layout where elements must move: images stay images.
std::vector<int64_t> strides_like(const View &input, const Shape &shape) {
    const bool image = shape.size() == 4 && !input.strides.empty() && input.strides.back() != 1;
    return image ? channels_last(shape) : row_major(shape);
}

/// `view` of `shape` as it would be in C order, so that it can be written from a view of another
/// shape; none where it is too scattered.
void copy_reshaped(Planner &planner, ValueId id, const View &from, const View &to) {
    // One of the two sides must be seen in the other's shape.
    if (const auto target = reshaped(to, from.shape))
        return planner.copy(id, from, *target);
    if (const auto source = reshaped(from, to.shape))
        return planner.copy(id, *source, to);
    const View between = planner.scratch(numel(from.shape));
    const View packed{between.buffer, 0, from.shape, row_major(from.shape)};
    planner.copy(id, from, packed);
    planner.copy(id, View{between.buffer, 0, to.shape, row_major(to.shape)}, to);
}

View concat_result(Planner &planner, ValueId id, const op::Concat &concat) {
    const Shape &shape = planner.graph().type(id).shape;
    const View first = planner.view(planner.graph().node(id).inputs[0]);
    if (concat.dim == 1 && shape.size() == 4)
        return planner.join(id);
    return planner.result(id, strides_like(first, shape));
}

} // namespace

void lower_reshape(Planner &planner, ValueId id) {
    const Shape &shape = planner.graph().type(id).shape;
    const View input = planner.view(planner.graph().node(id).inputs[0]);
    if (const auto same = reshaped(input, shape))
        return planner.alias(id, *same);
    copy_reshaped(planner, id, input, planner.result(id, strides_like(input, shape)));
}

void lower_concat(Planner &planner, ValueId id, const op::Concat &concat) {
    if (const auto joined = planner.joined_in_place(id))
        return planner.alias(id, *joined);
    const View whole = concat_result(planner, id, concat);
    int64_t start = 0;
    for (const ValueId part : planner.graph().node(id).inputs) {
        const int64_t end = start + planner.graph().type(part).shape[size_t(concat.dim)];
        const View target = sliced(whole, concat.dim, start, end, 1);
        const View source = planner.place(part);
        if (source.buffer != target.buffer || source.offset != target.offset)
            planner.copy(id, source, target);
        start = end;
    }
    planner.alias(id, whole);
}

void lower_pad_end(Planner &planner, ValueId id) {
    const View input = planner.view(planner.graph().node(id).inputs[0]);
    const Shape &shape = planner.graph().type(id).shape;
    if (shape == input.shape)
        return planner.alias(id, input);
    const View whole = planner.result(id, strides_like(input, shape));
    const auto bytes = size_t(numel(shape)) * sizeof(float);
    planner.add({.node = id,
                 .kernel = "zeros",
                 .reads = {},
                 .writes = {whole},
                 .run = [=](const Memory &memory) { std::memset(memory.at(whole), 0, bytes); }},
                numel(shape));
    View inner = whole;
    inner.shape = input.shape;
    planner.copy(id, input, inner);
}

void lower_roll(Planner &planner, ValueId id, const op::Roll &roll) {
    const View input = planner.view(planner.graph().node(id).inputs[0]);
    const View output = planner.result(id, strides_like(input, input.shape));
    const auto [first, second] = roll.dims;
    const auto shift = [&](size_t i) {
        const int64_t size = input.shape[size_t(roll.dims[i])];
        return ((roll.shifts[i] % size) + size) % size;
    };
    // Each dimension falls into what moves on and what comes round; their products are copied.
    struct Part {
        int64_t from;
        int64_t to;
        int64_t size;
    };
    const auto parts = [&](size_t i) {
        const int64_t size = input.shape[size_t(roll.dims[i])];
        return std::array<Part, 2>{Part{0, shift(i), size - shift(i)},
                                   Part{size - shift(i), 0, shift(i)}};
    };
    for (const Part &a : parts(0)) {
        for (const Part &b : parts(1)) {
            if (a.size == 0 || b.size == 0)
                continue;
            planner.copy(id,
                         sliced(sliced(input, first, a.from, a.from + a.size, 1), second, b.from,
                                b.from + b.size, 1),
                         sliced(sliced(output, first, a.to, a.to + a.size, 1), second, b.to,
                                b.to + b.size, 1));
        }
    }
}

} // namespace tvw::cpu
