// SPDX-License-Identifier: LGPL-2.1-or-later
// From nodes to steps. Each function plans one node: chooses the kernel, has its inputs laid out as
// the kernel wants them, and says where the result lies.
#pragma once

#include "backends/cpu/planner.h"

namespace tvw::cpu {

/// Plans the node by whichever of the functions below takes it.
void lower(Planner &planner, ValueId id);

// layers.cpp
void lower_conv(Planner &planner, ValueId id, const op::Conv2d &conv);
void lower_linear(Planner &planner, ValueId id, const op::Linear &linear);

// attention.cpp
void lower_attention(Planner &planner, ValueId id, const op::Attention &attention);

// pooling.cpp
void lower_max_pool(Planner &planner, ValueId id, const op::MaxPool2d &pool);
void lower_avg_pool(Planner &planner, ValueId id, const op::AvgPool2d &pool);
void lower_adaptive_pool(Planner &planner, ValueId id, const op::AdaptiveAvgPool2d &pool);
void lower_mean(Planner &planner, ValueId id);

// pointwise.cpp
void lower_combine(Planner &planner, ValueId id, bool multiply,
                   std::optional<op::ActivationKind> kind);
void lower_activation(Planner &planner, ValueId id, const op::Activation &activation);
void lower_batch_norm(Planner &planner, ValueId id, const op::BatchNorm &norm);

// normalization.cpp
void lower_layer_norm(Planner &planner, ValueId id, const op::LayerNorm &norm);
void lower_softmax(Planner &planner, ValueId id);
void lower_normalize(Planner &planner, ValueId id, const op::Normalize &op);

// matmul.cpp
void lower_matmul(Planner &planner, ValueId id);

// shapes.cpp
void lower_reshape(Planner &planner, ValueId id);
void lower_concat(Planner &planner, ValueId id, const op::Concat &concat);
void lower_pad_end(Planner &planner, ValueId id);
void lower_roll(Planner &planner, ValueId id, const op::Roll &roll);

// aten.cpp: whatever no other takes. The log says once for each operation that it is so.
void lower_aten(Planner &planner, ValueId id);
/// The node's value where all inputs are constants; planning makes it one too.
bool fold_constant(Planner &planner, ValueId id);

} // namespace tvw::cpu
