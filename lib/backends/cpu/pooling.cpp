// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/lower.h"

#include "backends/cpu/kernels/pooling.h"

namespace tvw::cpu {
namespace {

template<typename Run>
void add_pool(Planner &planner, ValueId id, const char *kernel, const Run &run) {
    const PlacedImage x(planner.as_image(planner.graph().node(id).inputs[0]));
    const PlacedImage y(planner.image_result(id));
    planner.add(
        {.node = id,
         .kernel = kernel,
         .reads = {x.view()},
         .writes = {y.view()},
         .run = [=](const Memory &memory) { run(x.in<const float>(memory), y.in<float>(memory)); }},
        numel(x.view().shape) * 8);
}

/// The mean of each channel from sums that the operation before left.
void mean_of_sums(Planner &planner, ValueId id, const View &sums, int64_t pixels) {
    const View y = planner.row_major_result(id);
    const int64_t count = numel(y.shape);
    const float factor = 1 / float(pixels);
    planner.add({.node = id,
                 .kernel = "mean of sums",
                 .reads = {sums},
                 .writes = {y},
                 .run =
                     [=](const Memory &memory) {
                         const float *from = memory.at(sums);
                         float *to = memory.at(y);
                         for (int64_t i = 0; i < count; ++i)
                             to[i] = from[i] * factor;
                     }},
                count);
}

} // namespace

void lower_max_pool(Planner &planner, ValueId id, const op::MaxPool2d &pool) {
    const PoolWindow window{pool.kernel, pool.stride, pool.padding};
    add_pool(planner, id, "max pool",
             [=](const auto &x, const auto &y) { max_pool(x, y, window); });
}

void lower_avg_pool(Planner &planner, ValueId id, const op::AvgPool2d &pool) {
    const PoolWindow window{pool.kernel, pool.stride, pool.padding};
    add_pool(planner, id, "average pool",
             [=](const auto &x, const auto &y) { average_pool(x, y, window); });
}

void lower_mean(Planner &planner, ValueId id) {
    const ValueId input = planner.graph().node(id).inputs[0];
    const Shape &shape = planner.graph().type(input).shape;
    if (const auto sums = planner.sums(input))
        return mean_of_sums(planner, id, *sums, shape[2] * shape[3]);
    const PlacedImage x(planner.as_image(input));
    const View y = planner.row_major_result(id);
    const View scratch = planner.scratch(global_mean_scratch_floats(shape[0], shape[1]));
    planner.add({.node = id,
                 .kernel = "global mean",
                 .reads = {x.view()},
                 .writes = {y, scratch},
                 .run =
                     [=](const Memory &memory) {
                         global_mean(x.in<const float>(memory), memory.at(y), memory.at(scratch));
                     }},
                numel(shape) * 4);
}

void lower_adaptive_pool(Planner &planner, ValueId id, const op::AdaptiveAvgPool2d &pool) {
    if (pool.output == Size2{1, 1})
        return lower_mean(planner, id);
    const View x = planner.view(planner.graph().node(id).inputs[0]);
    if (x.shape[2] == pool.output[0] && x.shape[3] == pool.output[1])
        return planner.alias(id, x);
    add_pool(planner, id, "adaptive average pool",
             [](const auto &from, const auto &to) { adaptive_average_pool(from, to); });
}

} // namespace tvw::cpu
