// SPDX-License-Identifier: LGPL-2.1-or-later
// Attention block by block: some queries against all keys of one head. Their scores stay in the
// first-level cache from the first product through the softmax to the second. Keys and values of a
// head are packed once, into panels as wide as the microkernel, which keeps its sums in registers.
#include "base/simd.h"

#include "backends/cpu/kernels/attention.h"
#include "backends/cpu/parallel.h"

#include <algorithm>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/attention.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/math-inl.h"

#ifndef TVW_CPU_KERNELS_ATTENTION_ONCE
#define TVW_CPU_KERNELS_ATTENTION_ONCE
namespace tvw::cpu {
namespace {

constexpr int64_t kMostLanes = 16; // of any target
constexpr int64_t kTileRows = 6;   // 6 × 2 vectors of sums leave AVX2 registers for the operands
constexpr int64_t kPrefetch = 8;   // tokens ahead
constexpr int64_t kBlockRows = 96; // at most
constexpr int64_t kBlockFloats = 4096; // of scores: half a first-level cache

constexpr int64_t round_up(int64_t value, int64_t step) {
    return (value + step - 1) / step * step;
}

/// Everything a thread needs to know, and how it divides its scratch memory.
struct Problem {
    AttentionShape shape;
    Tokens<const float> q, k, v;
    std::span<const AttentionTerm> terms;
    Tokens<float> out;

    int64_t score_stride() const { return round_up(shape.keys, kMostLanes); }
    /// Queries of a block.
    int64_t block() const {
        const int64_t fitting = kBlockFloats / score_stride() / kTileRows * kTileRows;
        return std::min(shape.queries, std::clamp(fitting, kTileRows, kBlockRows));
    }
    int64_t blocks() const { return (shape.queries + block() - 1) / block(); }

    int64_t key_floats() const { return score_stride() * shape.depth; }
    int64_t value_floats() const { return shape.keys * round_up(shape.value_depth, kMostLanes); }
    int64_t query_floats() const { return round_up(block() * shape.depth, kMostLanes); }
    int64_t score_floats() const { return block() * score_stride(); }
    int64_t scratch_floats() const {
        return key_floats() + value_floats() + query_floats() + score_floats();
    }
};

template<typename T>
T *locate(const Tokens<T> &tokens, int64_t count, int64_t b, int64_t h, int64_t t) {
    T *start = tokens.data + h * tokens.head;
    if (tokens.rows)
        return start + tokens.rows[b * count + t] * tokens.token;
    return start + b * tokens.batch + t * tokens.token;
}

const float *locate(const AttentionTerm &term, const AttentionShape &shape, int64_t b, int64_t h,
                    int64_t m) {
    const int64_t head = term.heads == 1 ? 0 : h;
    const int64_t matrix = (b % term.batches) * term.heads + head;
    return term.data + (matrix * shape.queries + m) * shape.keys;
}

} // namespace
} // namespace tvw::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {
namespace {

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

/// A panel is two vectors wide; the last of a matrix only one, if that is enough.
HWY_INLINE int64_t panel_width(int64_t left) {
    const auto lanes = int64_t(hn::Lanes(Floats()));
    return left > lanes ? 2 * lanes : lanes;
}

/// Tokens lie further apart than the hardware's prefetching looks: asks for one that is wanted
/// soon.
HWY_INLINE void prefetch_token(const Tokens<const float> &tokens, int64_t count, int64_t b,
                               int64_t h, int64_t t, int64_t depth) {
    if (t >= count)
        return;
    const float *at = locate(tokens, count, b, h, t);
    for (int64_t i = 0; i < depth; i += kMostLanes)
        hwy::Prefetch(at + i);
}

/// dst[d][column] = src[d] for one key.
HWY_INLINE void pack_key(const float *src, int64_t depth, float *dst, int64_t width) {
    for (int64_t d = 0; d < depth; ++d)
        dst[d * width] = src[d];
}

/// pack_key() of four keys at once, by transposing 4 × 4.
HWY_INLINE void pack_four_keys(const float *const (&src)[4], int64_t depth, float *dst,
                               int64_t width) {
    int64_t d = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::FixedTag<float, 4> four;
    const hn::FixedTag<double, 2> pairs;
    for (; d + 4 <= depth; d += 4) {
        const auto a = hn::LoadU(four, src[0] + d);
        const auto b = hn::LoadU(four, src[1] + d);
        const auto c = hn::LoadU(four, src[2] + d);
        const auto e = hn::LoadU(four, src[3] + d);
        const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(four, a, b));
        const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(four, a, b));
        const auto ce_low = hn::BitCast(pairs, hn::InterleaveLower(four, c, e));
        const auto ce_high = hn::BitCast(pairs, hn::InterleaveUpper(four, c, e));
        float *to = dst + d * width;
        hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, ab_low, ce_low)), four, to);
        to += width;
        hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, ab_low, ce_low)), four, to);
        to += width;
        hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, ab_high, ce_high)), four, to);
        to += width;
        hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, ab_high, ce_high)), four, to);
    }
#endif
    for (int64_t i = 0; i < 4; ++i)
        pack_key(src[i] + d, depth - d, dst + d * width + i, width);
}

/// Keys of one head as panels [D][width], columns beyond the last key 0.
void pack_keys(const Problem &p, int64_t b, int64_t h, float *dst) {
    const AttentionShape &shape = p.shape;
    for (int64_t n = 0; n < shape.keys;) {
        const int64_t width = panel_width(shape.keys - n);
        const int64_t filled = std::min(width, shape.keys - n);
        if (filled < width)
            std::memset(dst, 0, size_t(width * shape.depth) * sizeof(float));
        int64_t column = 0;
        for (; column + 4 <= filled; column += 4) {
            const float *src[4];
            for (int64_t i = 0; i < 4; ++i) {
                const int64_t key = n + column + i;
                src[i] = locate(p.k, shape.keys, b, h, key);
                prefetch_token(p.k, shape.keys, b, h, key + kPrefetch, shape.depth);
            }
            pack_four_keys(src, shape.depth, dst + column, width);
        }
        for (; column < filled; ++column)
            pack_key(locate(p.k, shape.keys, b, h, n + column), shape.depth, dst + column, width);
        dst += width * shape.depth;
        n += width;
    }
}

/// Values of one head as panels [N][width], columns beyond E 0.
void pack_values(const Problem &p, int64_t b, int64_t h, float *dst) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    const AttentionShape &shape = p.shape;
    for (int64_t n = 0; n < shape.keys; ++n) {
        const float *src = locate(p.v, shape.keys, b, h, n);
        prefetch_token(p.v, shape.keys, b, h, n + kPrefetch, shape.value_depth);
        for (int64_t e = 0; e < shape.value_depth;) {
            const int64_t width = panel_width(shape.value_depth - e);
            float *to = dst + e * shape.keys + n * width;
            for (int64_t i = 0; i < width; i += lanes, e += lanes) {
                const int64_t left = shape.value_depth - e;
                if (left >= lanes) {
                    hn::StoreU(hn::LoadU(d, src + e), d, to + i);
                } else {
                    std::fill_n(std::copy_n(src + e, left, to + i), lanes - left, 0.0f);
                }
            }
        }
    }
}

/// Queries of a block side by side, [rows][D]. They are scaled so that scores are logarithms to the
/// base of 2, of which powers are cheapest.
void pack_queries(const Problem &p, int64_t b, int64_t h, int64_t first, int64_t rows, float *dst) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    const int64_t depth = p.shape.depth;
    const float factor = p.shape.scale * kLog2E;
    const Vector scale = hn::Set(d, factor);
    for (int64_t m = 0; m < rows; ++m, dst += depth) {
        const float *src = locate(p.q, p.shape.queries, b, h, first + m);
        prefetch_token(p.q, p.shape.queries, b, h, first + m + kPrefetch, depth);
        int64_t i = 0;
        for (; i + lanes <= depth; i += lanes)
            hn::StoreU(hn::Mul(hn::LoadU(d, src + i), scale), d, dst + i);
        for (; i < depth; ++i)
            dst[i] = src[i] * factor;
    }
}

/// store(row, vector's index, Σ_k a[row][k] · panel[k][vector]).
template<int rows, int vectors, class Store>
HWY_INLINE void tile(const float *HWY_RESTRICT a, int64_t a_stride, const float *HWY_RESTRICT panel,
                     int64_t depth, const Store &store) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    Vector sum[rows][vectors];
    for (int r = 0; r < rows; ++r)
        for (int i = 0; i < vectors; ++i)
            sum[r][i] = hn::Zero(d);
    for (int64_t k = 0; k < depth; ++k, panel += vectors * lanes) {
        Vector right[vectors];
        for (int i = 0; i < vectors; ++i)
            right[i] = hn::Load(d, panel + i * lanes);
        for (int r = 0; r < rows; ++r) {
            const Vector left = hn::Set(d, a[r * a_stride + k]);
            for (int i = 0; i < vectors; ++i)
                sum[r][i] = hn::MulAdd(left, right[i], sum[r][i]);
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int i = 0; i < vectors; ++i)
            store(r, i, sum[r][i]);
}

/// Stores into rows of scores.
struct ToScores {
    float *scores;
    int64_t stride;
    HWY_INLINE void operator()(int row, int vector, Vector value) const {
        const Floats d;
        hn::Store(value, d, scores + row * stride + vector * int64_t(hn::Lanes(d)));
    }
};

/// Stores whole vectors into the result, times each row's factor.
struct ToResult {
    float *const *rows;
    const float *factors;
    int64_t column;
    HWY_INLINE void operator()(int row, int vector, Vector value) const {
        const Floats d;
        const int64_t at = column + vector * int64_t(hn::Lanes(d));
        hn::StoreU(hn::Mul(value, hn::Set(d, factors[row])), d, rows[row] + at);
    }
};

/// One column panel for all rows of a block; store_at(row) makes the tile's Store.
template<int vectors, class StoreAt>
HWY_INLINE void panel_product(const float *a, int64_t a_stride, int64_t rows, const float *panel,
                              int64_t depth, const StoreAt &store_at) {
    // Tiles of like height: a single row at the end would wait for its own sums.
    const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
    for (int64_t t = 0; t < tiles; ++t) {
        const int64_t row = rows * t / tiles;
        const float *from = a + row * a_stride;
        const auto store = store_at(row);
        switch (rows * (t + 1) / tiles - row) {
        case 1:
            tile<1, vectors>(from, a_stride, panel, depth, store);
            break;
        case 2:
            tile<2, vectors>(from, a_stride, panel, depth, store);
            break;
        case 3:
            tile<3, vectors>(from, a_stride, panel, depth, store);
            break;
        case 4:
            tile<4, vectors>(from, a_stride, panel, depth, store);
            break;
        case 5:
            tile<5, vectors>(from, a_stride, panel, depth, store);
            break;
        default:
            tile<6, vectors>(from, a_stride, panel, depth, store);
        }
    }
}

/// scores[m][n] = q[m] · k[n], columns rounded up to whole vectors.
void multiply_keys(const float *queries, int64_t rows, const float *keys, int64_t count,
                   int64_t depth, float *scores, int64_t stride) {
    const auto lanes = int64_t(hn::Lanes(Floats()));
    for (int64_t n = 0; n < count;) {
        const int64_t width = panel_width(count - n);
        const auto store_at = [&](int64_t row) {
            return ToScores{scores + row * stride + n, stride};
        };
        if (width > lanes)
            panel_product<2>(queries, depth, rows, keys, depth, store_at);
        else
            panel_product<1>(queries, depth, rows, keys, depth, store_at);
        keys += width * depth;
        n += width;
    }
}

/// multiply_values() for a panel of which only `filled` columns are values: what is stored into the
/// result must end with them.
void multiply_last_values(const float *scores, int64_t stride, int64_t rows, const float *values,
                          int64_t count, int64_t filled, const float *factors, float *const *result,
                          int64_t column) {
    HWY_ALIGN float all[kBlockRows * 2 * kMostLanes];
    const int64_t width = panel_width(filled);
    const auto store_at = [&](int64_t row) { return ToScores{all + row * width, width}; };
    if (width > int64_t(hn::Lanes(Floats())))
        panel_product<2>(scores, stride, rows, values, count, store_at);
    else
        panel_product<1>(scores, stride, rows, values, count, store_at);
    for (int64_t m = 0; m < rows; ++m)
        for (int64_t i = 0; i < filled; ++i)
            result[m][column + i] = factors[m] * all[m * width + i];
}

/// result[m] = factor[m] · Σ_n scores[m][n] · v[n].
void multiply_values(const float *scores, int64_t stride, int64_t rows, const float *values,
                     int64_t count, int64_t depth, const float *factors, float *const *result) {
    const auto lanes = int64_t(hn::Lanes(Floats()));
    for (int64_t e = 0; e < depth;) {
        const int64_t width = panel_width(depth - e);
        const auto store_at = [&](int64_t row) { return ToResult{result + row, factors + row, e}; };
        if (depth - e < width)
            multiply_last_values(scores, stride, rows, values, count, depth - e, factors, result,
                                 e);
        else if (width > lanes)
            panel_product<2>(scores, stride, rows, values, count, store_at);
        else
            panel_product<1>(scores, stride, rows, values, count, store_at);
        values += width * count;
        e += width;
    }
}

/// Where the terms of one query begin.
struct Terms {
    const float *at[2];
};

template<int terms, class Load>
HWY_INLINE Vector with_terms(Vector score, const Terms &term, const Load &load) {
    for (int i = 0; i < terms; ++i)
        score = hn::MulAdd(load(term.at[i]), hn::Set(Floats(), kLog2E), score);
    return score;
}

/// Adds the terms to the scores of `rows` queries, which puts -inf beyond the last key; answers the
/// largest of each.
template<int rows, int terms>
HWY_INLINE void add_terms(float *HWY_RESTRICT scores, int64_t stride, int64_t count,
                          const Terms *term, Vector (&largest)[rows]) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    const Vector lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
    for (int r = 0; r < rows; ++r)
        largest[r] = lowest;
    int64_t n = 0;
    for (; n + lanes <= count; n += lanes) {
        for (int r = 0; r < rows; ++r) {
            float *at = scores + r * stride + n;
            const auto load = [&](const float *from) HWY_ATTR { return hn::LoadU(d, from + n); };
            const Vector score = with_terms<terms>(hn::Load(d, at), term[r], load);
            if constexpr (terms > 0)
                hn::Store(score, d, at);
            largest[r] = hn::Max(largest[r], score);
        }
    }
    if (const int64_t left = count - n; left > 0) {
        const auto mask = hn::FirstN(d, size_t(left));
        for (int r = 0; r < rows; ++r) {
            float *at = scores + r * stride + n;
            const auto load = [&](const float *from)
                                  HWY_ATTR { return load_first(d, left, from + n); };
            const Vector score = with_terms<terms>(hn::Load(d, at), term[r], load);
            hn::Store(hn::IfThenElse(mask, score, lowest), d, at);
            largest[r] = hn::Max(largest[r], hn::IfThenElse(mask, score, lowest));
        }
    }
    for (int r = 0; r < rows; ++r)
        largest[r] = hn::MaxOfLanes(d, largest[r]);
}

/// Leaves 2^(score + terms - the largest) in place of scores, and 1 / their sum in `factors`.
/// Two rows at once: each row's reductions wait for their own results.
template<int rows, int terms>
HWY_NOINLINE void softmax_of(float *HWY_RESTRICT scores, int64_t stride, int64_t count,
                             const Terms *term, float *factors) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    Vector largest[rows];
    add_terms<rows, terms>(scores, stride, count, term, largest);
    Vector sum[rows];
    for (int r = 0; r < rows; ++r)
        sum[r] = hn::Zero(d);
    for (int64_t n = 0; n < count; n += lanes) {
        for (int r = 0; r < rows; ++r) {
            float *at = scores + r * stride + n;
            const Vector power = exp2_of_small(d, hn::Sub(hn::Load(d, at), largest[r]));
            hn::Store(power, d, at);
            sum[r] = hn::Add(sum[r], power);
        }
    }
    for (int r = 0; r < rows; ++r)
        factors[r] = 1 / hn::GetLane(hn::SumOfLanes(d, sum[r]));
}

template<int terms>
void softmax_rows(const Problem &p, int64_t b, int64_t h, int64_t first, int64_t rows,
                  float *scores, float *factors) {
    const int64_t stride = p.score_stride();
    Terms base{};
    for (int i = 0; i < terms; ++i)
        base.at[i] = locate(p.terms[size_t(i)], p.shape, b, h, first);
    const auto term_of = [&](int64_t m) {
        Terms term{};
        for (int i = 0; i < terms; ++i)
            term.at[i] = base.at[i] + m * p.shape.keys;
        return term;
    };
    int64_t m = 0;
    for (; m + 2 <= rows; m += 2) {
        const Terms term[2] = {term_of(m), term_of(m + 1)};
        softmax_of<2, terms>(scores + m * stride, stride, p.shape.keys, term, factors + m);
    }
    if (m < rows) {
        const Terms term = term_of(m);
        softmax_of<1, terms>(scores + m * stride, stride, p.shape.keys, &term, factors + m);
    }
}

/// Leaves powers in place of scores, and 1 / their sum for each row.
void softmax_block(const Problem &p, int64_t b, int64_t h, int64_t first, int64_t rows,
                   float *scores, float *factors) {
    if (p.terms.empty())
        softmax_rows<0>(p, b, h, first, rows, scores, factors);
    else if (p.terms.size() == 1)
        softmax_rows<1>(p, b, h, first, rows, scores, factors);
    else
        softmax_rows<2>(p, b, h, first, rows, scores, factors);
}

/// The blocks [begin, end) of all heads of all batches.
void run_blocks(const Problem &p, int64_t begin, int64_t end, float *scratch) {
    const AttentionShape &shape = p.shape;
    float *keys = scratch;
    float *values = keys + p.key_floats();
    float *queries = values + p.value_floats();
    float *scores = queries + p.query_floats();
    float factors[kBlockRows];
    float *result[kBlockRows];
    const int64_t blocks = p.blocks();
    int64_t packed = -1;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t head = unit / blocks;
        const int64_t b = head / shape.heads;
        const int64_t h = head % shape.heads;
        if (packed != head) {
            pack_keys(p, b, h, keys);
            pack_values(p, b, h, values);
            packed = head;
        }
        const int64_t first = unit % blocks * shape.queries / blocks;
        const int64_t rows = (unit % blocks + 1) * shape.queries / blocks - first;
        for (int64_t m = 0; m < rows; ++m)
            result[m] = locate(p.out, shape.queries, b, h, first + m);
        pack_queries(p, b, h, first, rows, queries);
        multiply_keys(queries, rows, keys, shape.keys, shape.depth, scores, p.score_stride());
        softmax_block(p, b, h, first, rows, scores, factors);
        multiply_values(scores, p.score_stride(), rows, values, shape.keys, shape.value_depth,
                        factors, result);
    }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(run_blocks);

int64_t attention_scratch_floats(const AttentionShape &shape, int threads) {
    return threads * Problem{shape, {}, {}, {}, {}, {}}.scratch_floats();
}

void attention(const AttentionShape &shape, const Tokens<const float> &q,
               const Tokens<const float> &k, const Tokens<const float> &v,
               std::span<const AttentionTerm> terms, const Tokens<float> &out, float *scratch) {
    const Problem problem{shape, q, k, v, terms, out};
    const int64_t units = shape.batch * shape.heads * problem.blocks();
    const auto run = HWY_DYNAMIC_DISPATCH(run_blocks);
    parallel(units, [&](int64_t begin, int64_t end) {
        run(problem, begin, end, scratch + team_member() * problem.scratch_floats());
    });
}

} // namespace tvw::cpu
#endif
