// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/functions.h"

#include "nn/emit.h"

#include <algorithm>

namespace tvw::nn {

Value activation(Value x, Activation kind) {
    return emit(op::Activation{kind}, {x});
}
Value add(Value a, Value b) {
    return emit(op::Add{}, {a, b});
}
Value mul(Value a, Value b) {
    return emit(op::Mul{}, {a, b});
}
Value matmul(Value a, Value b) {
    return emit(op::MatMul{}, {a, b});
}
Value softmax(Value x) {
    return emit(op::Softmax{}, {x});
}
Value normalize(Value x) {
    return emit(op::Normalize{}, {x});
}
Value clamp_max(Value x, double most) {
    return emit(op::ClampMax{most}, {x});
}

Value max_pool(Value x, const PoolOptions &options) {
    return emit(op::MaxPool2d{{options.kernel, options.kernel},
                              {options.stride, options.stride},
                              {options.padding, options.padding},
                              options.ceil_mode},
                {x});
}

Value avg_pool(Value x, const PoolOptions &options) {
    return emit(op::AvgPool2d{{options.kernel, options.kernel},
                              {options.stride, options.stride},
                              {options.padding, options.padding}},
                {x});
}

Value adaptive_avg_pool(Value x, int64_t output) {
    return emit(op::AdaptiveAvgPool2d{{output, output}}, {x});
}

Value spatial_mean(Value x) {
    return emit(op::SpatialMean{}, {x});
}

Value flatten(Value x, int64_t start) {
    return emit(op::Flatten{start}, {x});
}
Value reshape(Value x, Shape shape) {
    return emit(op::Reshape{std::move(shape)}, {x});
}
Value permute(Value x, std::vector<int64_t> order) {
    return emit(op::Permute{std::move(order)}, {x});
}
Value concat(std::span<const Value> parts, int64_t dim) {
    return emit(op::Concat{dim}, parts);
}
Value slice(Value x, int64_t dim, int64_t start, int64_t end, int64_t step) {
    return emit(op::Slice{dim, start, end, step}, {x});
}
Value pad_end(Value x, std::vector<int64_t> amounts) {
    return emit(op::PadEnd{std::move(amounts)}, {x});
}
Value roll(Value x, const Size2 &shifts, const Size2 &dims) {
    return emit(op::Roll{dims, shifts}, {x});
}
Value gather(Value x, Value index) {
    return emit(op::Gather{}, {x, index});
}

Value literal(Graph &graph, const std::string &name, Shape shape, std::span<const float> values) {
    HostTensor tensor = HostTensor::zeros(DType::kFloat32, std::move(shape));
    std::copy(values.begin(), values.end(), tensor.mutable_values<float>().begin());
    return {&graph, graph.add_constant(name, std::move(tensor))};
}

Value scalar(Graph &graph, float value) {
    return literal(graph, {}, {}, {&value, 1});
}

Value dropout(Value x) {
    return emit(op::Identity{"dropout"}, {x});
}
Value stochastic_depth(Value x) {
    return emit(op::Identity{"stochastic_depth"}, {x});
}

} // namespace tvw::nn
