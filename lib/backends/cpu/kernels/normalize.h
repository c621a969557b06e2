// SPDX-License-Identifier: LGPL-2.1-or-later
// Normalisations over the last dimension: rows of `channels` floats. Results may be written over
// the input.
#pragma once

#include <cstdint>

namespace tvw::cpu {

/// Row r begins at data[r · stride].
template<typename T>
struct Rows {
    T *data;
    int64_t stride;
};

/// y = (x - mean) / sqrt(variance + eps) · weight + bias; weight and bias are [channels].
/// https://arxiv.org/abs/1607.06450
void layer_norm(int64_t rows, int64_t channels, Rows<const float> x, const float *weight,
                const float *bias, float eps, Rows<float> y);

/// y = exp(x - max) / Σ exp(x - max).
void softmax(int64_t rows, int64_t channels, Rows<const float> x, Rows<float> y);

/// y = x / max(|x|, eps), |x| the Euclidean length of a row.
void normalize(int64_t rows, int64_t channels, Rows<const float> x, float eps, Rows<float> y);

} // namespace tvw::cpu
