// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolutions and linear layers.
#include "backends/cpu/layer.h"
#include "backends/cpu/lower.h"

#include "backends/cpu/kernels/convolution.h"
#include "backends/cpu/kernels/depthwise.h"
#include "backends/cpu/kernels/direct.h"
#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/kernels/rounded_convolution.h"
#include "backends/cpu/kernels/winograd.h"
#include "graph/operations.h"

#include <fmt/format.h>

#include <algorithm>

namespace tvw::cpu {
namespace {

void depthwise(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer) {
    const Shape &w = layer.weight->shape();
    const ImageCall call = image_call(planner, id, conv, layer);
    const Shape &x = call.x.view().shape;
    const Depthwise kernel(
        {x[0], x[2], x[3], x[1], {w[2], w[3]}, conv.stride, conv.dilation, conv.padding},
        depthwise_weight(planner, layer));
    const View sums = plan_sums(planner, id);
    const bool adds_up = numel(sums.shape) > 0;
    const View scratch = planner.scratch(kernel.scratch_floats(adds_up));
    planner.add(
        {.node = id,
         .kernel = adds_up ? "depthwise with sums" : "depthwise",
         .reason = adds_up ? "the mean of its channels is wanted too" : "a kernel for each channel",
         .reads = call.reads(),
         .writes = {call.y.view(), sums, scratch},
         .run =
             [=](const Memory &memory) {
                 kernel.run(call.x.in<const float>(memory), call.y.in<float>(memory),
                            call.epilogue(memory), memory.at(scratch),
                            adds_up ? memory.at(sums) : nullptr);
             }},
        flops(planner.graph(), id) * 2); // it runs at half the speed of others
}

/// What a product costs in the planner's measure: few rows wait for the weights to come from
/// memory.
int64_t cost_of_gemm(const Planner &planner, ValueId id, int64_t rows) {
    return flops(planner.graph(), id) * (rows < 4 ? 8 : 1);
}

/// What a kernel reads whose input is yet to be scaled, if `scaled`.
std::vector<View> reads_of(const ImageCall &call, const std::optional<Scaled> &scaled) {
    std::vector<View> reads = call.reads();
    if (scaled)
        reads.push_back(scaled->scale);
    return reads;
}

/// x · weight, of pixels or rows; `scaled` is multiplied into x on the way.
void gemm(Planner &planner, ValueId id, const Layer &layer, const ImageCall &call,
          const char *reason, const std::optional<Scaled> &scaled = {}) {
    const auto gemm = packed_gemm(planner, layer);
    const int64_t batch = scaled ? call.x.view().shape[0] : 1; // each image has a scale of its own
    const int64_t rows = call.x.pixels() / batch;
    const View scratch = planner.scratch(scaled ? int64_t(gemm->scratch_floats(rows)) : 0);
    planner.add({.node = id,
                 .kernel = scaled ? "GEMM of scaled" : "GEMM",
                 .reason = reason,
                 .reads = reads_of(call, scaled),
                 .writes = {call.y.view(), scratch},
                 .run =
                     [=](const Memory &memory) {
                         const Image<const float> x = call.x.in<const float>(memory);
                         const Image<float> y = call.y.in<float>(memory);
                         const Epilogue epilogue = call.epilogue(memory);
                         for (int64_t n = 0; n < batch; ++n) {
                             gemm->run(x.data + n * rows * x.pixel, x.pixel, rows,
                                       y.data + n * rows * y.pixel, y.pixel,
                                       epilogue.of(n * rows, 0),
                                       scaled ? memory.at(scaled->scale) + n * x.channels : nullptr,
                                       memory.at(scratch));
                         }
                     }},
                cost_of_gemm(planner, id, rows));
}

/// The same, and any convolution, of factors that are rounded to bfloat16.
void rounded_product(Planner &planner, ValueId id, const RoundedConvolution::Shape &shape,
                     const Layer &layer, const ImageCall &call,
                     const std::optional<Scaled> &scaled = {}) {
    const SharedFloats weights = packed_weights(planner, layer, " bf16", [&](const float *weight) {
        return RoundedConvolution::pack(weight, shape);
    });
    const RoundedConvolution kernel(shape, weights);
    const View scratch = planner.scratch(int64_t(kernel.scratch_floats(planner.threads())));
    planner.add({.node = id,
                 .kernel = fmt::format("bf16 product, {}", bfloat16_kernels().front()->name),
                 .reason = "the precision is bf16",
                 .reads = reads_of(call, scaled),
                 .writes = {call.y.view(), scratch},
                 .run =
                     [=](const Memory &memory) {
                         kernel.run(call.x.in<const float>(memory), call.y.in<float>(memory),
                                    call.epilogue(memory), memory.at(scratch),
                                    scaled ? memory.at(scaled->scale) : nullptr);
                     }},
                flops(planner.graph(), id));
}

/// Rows [..., C] as an image of a pixel in each line, [1, C, rows, 1].
PlacedImage column_of(const View &rows) {
    const int64_t width = rows.shape.back();
    const int64_t count = numel(rows.shape) / width;
    const int64_t row = *row_stride(rows);
    return PlacedImage(
        {rows.buffer, rows.offset, {1, width, count, 1}, {row * count, 1, row, row}});
}

ImageCall linear_call(Planner &planner, ValueId id, const op::Linear &linear, const Layer &layer) {
    const PlacedImage x = column_of(planner.as_rows(layer.node.inputs[0]));
    std::optional<PlacedImage> residual;
    if (layer.residual)
        residual.emplace(column_of(planner.as_rows(*layer.residual)));
    return {{column_of(planner.row_major_result(id)), residual,
             layer.bias != nullptr ? layer.bias->contiguous() : HostTensor(), linear.activation},
            x};
}

Convolution::Shape shape_of(const ImageCall &call, const op::Conv2d &conv, const Layer &layer) {
    const Shape &x = call.x.view().shape;
    const Shape &w = layer.weight->shape();
    return {x[0],         x[2],        x[3],          x[1],         w[0],
            {w[2], w[3]}, conv.stride, conv.dilation, conv.padding, conv.groups};
}

/// The input of a convolution of which each result is made of little, so that it is best read where
/// it lies: images in few planes, as they come into a network, and groups. Each row of results
/// needs all weights of a group, so these must be near.
std::optional<View> direct_input(Planner &planner, const op::Conv2d &conv, const Layer &layer) {
    constexpr int64_t kMostPlanes = 4;
    constexpr int64_t kMostWeights = int64_t{32} * 1024;
    const ValueId input = layer.node.inputs[0];
    if (numel(layer.weight->shape()) / conv.groups > kMostWeights)
        return std::nullopt;
    if (conv.groups > 1)
        return planner.as_image(input);
    if (planner.graph().type(input).shape[1] > kMostPlanes)
        return std::nullopt;
    const View view = planner.view(input);
    return view.strides[3] == 1 ? view : planner.as_image(input);
}

void direct(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer,
            const View &x) {
    const ImageOutput call = image_output(planner, id, conv, layer);
    const Shape &w = layer.weight->shape();
    const bool in_planes = conv.groups == 1 && x.strides[3] == 1;
    const DirectConvolution::Shape shape{x.shape[0],
                                         in_planes ? x.shape[1] : 1,
                                         x.shape[2],
                                         x.shape[3],
                                         in_planes ? 1 : x.shape[1],
                                         w[0],
                                         {w[2], w[3]},
                                         conv.stride,
                                         conv.dilation,
                                         conv.padding,
                                         conv.groups};
    const DirectConvolution kernel(
        shape,
        packed_weights(planner, layer, in_planes ? " planes" : " direct", [&](const float *weight) {
            return DirectConvolution::pack(weight, shape);
        }));
    const View scratch = planner.scratch(int64_t(kernel.scratch_floats(planner.threads())));
    std::vector<View> reads = call.reads();
    reads.push_back(x);
    planner.add(
        {.node = id,
         .kernel = in_planes ? "direct, of planes" : "direct",
         .reason =
             in_planes ? "few planes, read where they lie" : "small groups, read where they lie",
         .reads = std::move(reads),
         .writes = {call.y.view(), scratch},
         .run =
             [=](const Memory &memory) {
                 kernel.run({memory.at(x), x.strides[0], x.strides[1], x.strides[2], x.strides[3]},
                            call.y.in<float>(memory), call.epilogue(memory), memory.at(scratch));
             }},
        flops(planner.graph(), id));
}

/// A kernel from image to image that needs scratch memory for each thread.
template<typename Kernel>
void image_kernel(Planner &planner, ValueId id, const ImageCall &call, const Kernel &kernel,
                  const char *name, const char *reason) {
    const View scratch = planner.scratch(int64_t(kernel.scratch_floats(planner.threads())));
    planner.add({.node = id,
                 .kernel = name,
                 .reason = reason,
                 .reads = call.reads(),
                 .writes = {call.y.view(), scratch},
                 .run =
                     [=](const Memory &memory) {
                         kernel.run(call.x.in<const float>(memory), call.y.in<float>(memory),
                                    call.epilogue(memory), memory.at(scratch));
                     }},
                flops(planner.graph(), id));
}

void convolution(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer) {
    const ImageCall call = image_call(planner, id, conv, layer);
    const Convolution::Shape shape = shape_of(call, conv, layer);
    const SharedFloats weights =
        packed_weights(planner, layer, " patches",
                       [&](const float *weight) { return Convolution::pack(weight, shape); });
    image_kernel(planner, id, call, Convolution(shape, weights), "GEMM of patches",
                 "Winograd does not take it or does not pay");
}

std::optional<Winograd::Shape> winograd_shape(const Planner &planner, const op::Conv2d &conv,
                                              const Layer &layer) {
    const Shape &w = layer.weight->shape();
    const Shape &x = planner.graph().type(layer.node.inputs[0]).shape;
    if (w[2] != 3 || w[3] != 3 || conv.stride != Size2{1, 1} || conv.dilation != Size2{1, 1} ||
        std::ranges::any_of(conv.padding, [](int64_t side) { return side > 2; }))
        return std::nullopt;
    const Winograd::Shape shape{x[0], x[2], x[3], x[1], w[0], conv.padding, conv.groups};
    return winograd_pays(shape, planner.threads()) ? std::optional(shape) : std::nullopt;
}

void winograd(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer,
              const Winograd::Shape &shape) {
    const SharedFloats weights =
        packed_weights(planner, layer, " Winograd", [&](const float *weight) {
            return Winograd::pack(weight, shape.out_channels, shape.in_channels / shape.groups);
        });
    image_kernel(planner, id, image_call(planner, id, conv, layer), Winograd(shape, weights),
                 "Winograd F(4×4, 3×3)", "3×3, a quarter of the products pays for the transforms");
}

} // namespace

void lower_conv(Planner &planner, ValueId id, const op::Conv2d &conv) {
    const Layer layer = layer_of(planner, id);
    if (!has_constants(layer))
        return lower_aten(planner, id);
    const std::optional<Scaled> scaled = planner.scaled(layer.node.inputs[0]);
    if (planner.rounds() && !is_depthwise(planner.graph(), id)) {
        const ImageCall call = image_call(planner, id, conv, layer, scaled);
        return rounded_product(planner, id, shape_of(call, conv, layer), layer, call, scaled);
    }
    if (is_expansion(planner, id, layer))
        return expand_later(planner, id, conv, layer);
    if (scaled || is_pixel_wise(planner.graph(), id))
        return gemm(planner, id, layer, image_call(planner, id, conv, layer, scaled),
                    scaled ? "1×1, of channels that are yet to be scaled" : "1×1", scaled);
    if (const auto expansion = planner.expansion(layer.node.inputs[0]))
        return expanded_depthwise(planner, id, conv, layer, *expansion);
    if (is_depthwise(planner.graph(), id))
        return depthwise(planner, id, conv, layer);
    if (const auto shape = winograd_shape(planner, conv, layer))
        return winograd(planner, id, conv, layer, *shape);
    if (const auto x = direct_input(planner, conv, layer))
        return direct(planner, id, conv, layer, *x);
    convolution(planner, id, conv, layer);
}

void lower_linear(Planner &planner, ValueId id, const op::Linear &linear) {
    const Layer layer = layer_of(planner, id);
    if (!has_constants(layer))
        return lower_aten(planner, id);
    const ImageCall call = linear_call(planner, id, linear, layer);
    const int64_t rows = call.x.pixels();
    if (planner.rounds())
        return rounded_product(
            planner, id, {1, rows, 1, call.x.channels(), call.y.channels(), {1, 1}}, layer, call);
    gemm(planner, id, layer, call, rows < 4 ? "few rows: the weights are streamed" : "");
}

} // namespace tvw::cpu
