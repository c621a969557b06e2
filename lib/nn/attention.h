// SPDX-License-Identifier: LGPL-2.1-or-later
// Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762) and what Swin and MaxViT add to it.
#pragma once

#include "nn/layers.h"

#include <array>
#include <optional>

namespace tvw::nn {

/// Queries, keys and values, each [B, heads, S, D], of the joint projection [B, S, 3 · heads · D].
std::array<Value, 3> split_heads(Value qkv, int64_t heads);
/// softmax(scores) · v with the heads joined again: scores [B, heads, S, S], v [B, heads, S, D],
/// result [B, S, heads · D].
Value attend(Value scores, Value v);
/// q · kᵀ.
Value attention_scores(Value q, Value k);

/// torch.nn.MultiheadAttention of x [B, S, E] with itself.
Value self_attention(const Scope &s, Value x, int64_t heads);

/// torchvision.ops.MLP of two layers with GELU between them: children "0" and "3".
Value mlp(const Scope &s, Value x, int64_t hidden);

/// For each pair of pixels of a window, the row of the bias table that their distance selects:
/// int64 [(height · width)²] in C order.
HostTensor relative_position_index(int64_t height, int64_t width);
/// Rows of `table` [R, heads] as [1, heads, tokens, tokens].
Value relative_position_bias(Value table, Value index, int64_t tokens);

} // namespace tvw::nn
