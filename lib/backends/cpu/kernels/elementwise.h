// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations element by element, with the activation that follows in the same pass. Results may be
// written over an input of the same place; strides are in floats.
#pragma once

#include "backends/cpu/kernels/normalize.h"
#include "graph/op.h"

#include <cstdint>
#include <optional>

namespace tvw::cpu {

enum class Combine { kAdd, kMul };

/// y[i] = activation(x[i]) for `count` elements.
void activation(int64_t count, const float *x, op::ActivationKind kind, float *y);

/// y[i] = activation(a[i] (+ or ·) b[i]) for `count` elements.
void combine(Combine how, int64_t count, const float *a, const float *b,
             std::optional<op::ActivationKind> kind, float *y);

/// y[r][c] = activation(a[r][c] (+ or ·) b[r][c]). A stride of 0 repeats one row.
void combine(Combine how, int64_t rows, int64_t channels, Rows<const float> a, Rows<const float> b,
             std::optional<op::ActivationKind> kind, Rows<float> y);

/// y[r][c] = activation(x[r][c] · scale[c] + shift[c] + residual[r][c]): batch norm, layer scale.
/// `shift` and `residual.data` may be null.
void scale_and_shift(int64_t rows, int64_t channels, Rows<const float> x, const float *scale,
                     const float *shift, Rows<const float> residual,
                     std::optional<op::ActivationKind> kind, Rows<float> y);

/// y[n][p][c] = x[n][p][c] · scale[n][c], where row n · pixels + p of x and y is pixel p of image n
/// and scale is [batch][channels]: squeeze-and-excitation. https://arxiv.org/abs/1709.01507
void scale_channels(int64_t batch, int64_t pixels, int64_t channels, Rows<const float> x,
                    const float *scale, Rows<float> y);

} // namespace tvw::cpu
