// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/attention.h"

#include "nn/emit.h"

#include <cmath>

namespace tvw::nn {

std::array<Value, 3> split_heads(Value qkv, int64_t heads) {
    const Shape shape = qkv.shape();
    const int64_t depth = shape[2] / 3 / heads;
    const Value split =
        permute(reshape(qkv, {shape[0], shape[1], 3, heads, depth}), {2, 0, 3, 1, 4});
    const auto part = [&](int64_t i) {
        return reshape(slice(split, 0, i, i + 1), {shape[0], heads, shape[1], depth});
    };
    return {part(0), part(1), part(2)};
}

Value attention_scores(Value q, Value k) {
    return matmul(q, permute(k, {0, 1, 3, 2}));
}

Value attend(Value scores, Value v) {
    const Shape shape = v.shape();
    const Value mixed = permute(matmul(softmax(scores), v), {0, 2, 1, 3});
    return reshape(mixed, {shape[0], shape[2], shape[1] * shape[3]});
}

Value self_attention(const Scope &s, Value x, int64_t heads) {
    const int64_t width = x.shape().back();
    const Shape shape{3 * width, width};
    const Value weight = s.parameter("in_proj_weight", shape, Init::kXavierUniform, shape);
    const Value bias = s.parameter("in_proj_bias", {3 * width}, Init::kZeros, shape);
    const Value qkv = emit(op::Linear{}, {x, weight, bias}, s.path() + ".in_proj");
    auto [q, k, v] = split_heads(qkv, heads);
    const int64_t head_width = width / heads;
    q = mul(q, scalar(s.graph(), 1 / std::sqrt(float(head_width))));
    const Scope out = s.with_init({.linear_bias = Init::kZeros});
    return linear(out / "out_proj", attend(attention_scores(q, k), v), width);
}

Value mlp(const Scope &s, Value x, int64_t hidden) {
    const int64_t width = x.shape().back();
    x = dropout(gelu(linear(s / 0, x, hidden)));
    return dropout(linear(s / 3, x, width));
}

HostTensor relative_position_index(int64_t height, int64_t width) {
    const int64_t tokens = height * width;
    HostTensor index = HostTensor::zeros(DType::kInt64, {tokens * tokens});
    int64_t *next = index.mutable_values<int64_t>().data();
    for (int64_t a = 0; a < tokens; ++a) {
        for (int64_t b = 0; b < tokens; ++b) {
            const int64_t rows = a / width - b / width + height - 1;
            const int64_t columns = a % width - b % width + width - 1;
            *next++ = rows * (2 * width - 1) + columns;
        }
    }
    return index;
}

Value relative_position_bias(Value table, Value index, int64_t tokens) {
    const int64_t heads = table.shape()[1];
    const Value rows = reshape(gather(table, index), {tokens, tokens, heads});
    return reshape(permute(rows, {2, 0, 1}), {1, heads, tokens, tokens});
}

} // namespace tvw::nn
