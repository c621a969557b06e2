// SPDX-License-Identifier: LGPL-2.1-or-later
// Scaled dot-product attention, from projected tokens where they lie to mixed tokens where they
// belong, with no matrix of scores in memory.
#pragma once

#include <cstdint>
#include <span>

namespace tvw::cpu {

struct AttentionShape {
    int64_t batch;
    int64_t heads;
    int64_t queries;     ///< M
    int64_t keys;        ///< N
    int64_t depth;       ///< D, of queries and keys
    int64_t value_depth; ///< E
    float scale;
};

/// Where vectors lie: that of batch b, head h, token t begins at
/// data[b · batch + h · head + t · token], so slices of one [batch][tokens][3 · heads · D] need no
/// copy. With `rows` it begins at data[rows[b · tokens + t] · token + h · head]: windows of an
/// image need none either.
template<typename T>
struct Tokens {
    T *data;
    int64_t batch;
    int64_t head;
    int64_t token;
    const int32_t *rows = nullptr; ///< [batch][tokens]
};

/// What is added to scores: [batches][heads][M][N], of which batch b takes b modulo `batches`; all
/// heads share it where `heads` is 1.
struct AttentionTerm {
    const float *data;
    int64_t batches;
    int64_t heads;
};

/// Floats of scratch memory that attention() needs with a team of `threads`.
int64_t attention_scratch_floats(const AttentionShape &shape, int threads);

/// out[b, h, m] = Σ_n softmax_n(scale · q[b, h, m] · k[b, h, n] + Σ terms[b, h, m, n]) v[b, h, n]
/// with at most two terms and N > 0. `scratch` is aligned to 64 bytes. `out` overlaps neither the
/// inputs nor itself, except that tokens nobody wants may share a row where there is one thread.
/// "Attention Is All You Need", https://arxiv.org/abs/1706.03762
void attention(const AttentionShape &shape, const Tokens<const float> &q,
               const Tokens<const float> &k, const Tokens<const float> &v,
               std::span<const AttentionTerm> terms, const Tokens<float> &out, float *scratch);

} // namespace tvw::cpu
