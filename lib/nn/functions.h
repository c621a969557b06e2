// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations without parameters, by the names of torch.nn.functional and torch.
#pragma once

#include "nn/scope.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tvw::nn {

using Activation = op::ActivationKind;

Value activation(Value x, Activation kind);
inline Value relu(Value x) {
    return activation(x, Activation::kRelu);
}
inline Value gelu(Value x) {
    return activation(x, Activation::kGelu);
}
Value add(Value a, Value b);
Value mul(Value a, Value b);
Value matmul(Value a, Value b);
/// Over the last dimension.
Value softmax(Value x);
/// Vectors of the last dimension at length 1.
Value normalize(Value x);
Value clamp_max(Value x, double most);

struct PoolOptions {
    int64_t kernel = 1;
    int64_t stride = 1;
    int64_t padding = 0;
    bool ceil_mode = false; ///< max_pool only
};
Value max_pool(Value x, const PoolOptions &options);
/// Padding counts as zeros.
Value avg_pool(Value x, const PoolOptions &options);
Value adaptive_avg_pool(Value x, int64_t output = 1);

/// The mean of each channel, [N, C].
Value spatial_mean(Value x);

Value flatten(Value x, int64_t start = 1);
Value reshape(Value x, Shape shape);
Value permute(Value x, std::vector<int64_t> order);
Value concat(std::span<const Value> parts, int64_t dim);
/// [start, end) of one dimension.
Value slice(Value x, int64_t dim, int64_t start, int64_t end, int64_t step = 1);
/// Zeros after the end of each dimension.
Value pad_end(Value x, std::vector<int64_t> amounts);
Value roll(Value x, const Size2 &shifts, const Size2 &dims);
/// Rows of x by an int64 index.
Value gather(Value x, Value index);

/// A tensor of known values, not from the checkpoint.
Value literal(Graph &graph, const std::string &name, Shape shape, std::span<const float> values);
Value scalar(Graph &graph, float value);

/// Nothing in inference; kept in the graph as built.
Value dropout(Value x);
Value stochastic_depth(Value x);

} // namespace tvw::nn
