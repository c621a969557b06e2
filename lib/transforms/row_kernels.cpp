// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/simd.h"

#include "transforms/row_kernels.h"

#include "transforms/pixel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transforms/row_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "transforms/pair_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Vectors of floats no wider than a block's rows.
using Floats = hn::CappedTag<float, kBlockRows>;
using Vector = hn::Vec<Floats>;
/// Outputs that are finished together, so that their rows are stored in whole vectors.
constexpr size_t kGroup = 4;

// A block of 128 bits: what transposing works in.
using Quad = hn::CappedTag<float, kGroup>;
// One row of the columns that are packed together.
using Bytes = hn::CappedTag<uint8_t, kColumnGroup>;

/// a * b + c with one rounding.
HWY_INLINE Vector fused(Vector a, Vector b, Vector c) {
#if HWY_NATIVE_FMA
    return hn::MulAdd(a, b, c);
#else
    // A product of two floats is exact in double.
    const Floats d;
    HWY_ALIGN float x[kBlockRows], y[kBlockRows], z[kBlockRows];
    hn::Store(a, d, x);
    hn::Store(b, d, y);
    hn::Store(c, d, z);
    for (size_t i = 0; i < hn::Lanes(d); ++i)
        z[i] = float(double(x[i]) * double(y[i]) + double(z[i]));
    return hn::Load(d, z);
#endif
}

HWY_INLINE Vector load(const float *src) {
    return hn::LoadU(Floats(), src);
}

template<class T>
HWY_INLINE Vector load(const T *src) {
    const Floats d;
    const hn::Rebind<T, Floats> narrow;
    const hn::Rebind<int32_t, Floats> integers;
    return hn::ConvertTo(d, hn::PromoteTo(integers, hn::LoadU(narrow, src)));
}

/// Adds a window's products to `kVectors` sums in its order; `row(k)` points to its sample k.
template<size_t kVectors, class Row, class At>
HWY_INLINE void add_window(const ResampleWindow &window, const float *weights, const Row &row,
                           const At &at, Vector (&sum)[kVectors]) {
    const Floats d;
    int k = 0;
    for (; k < window.separate; ++k) {
        const Vector weight = hn::Set(d, weights[k]);
        const auto *src = row(k);
        for (size_t v = 0; v < kVectors; ++v)
            sum[v] = hn::Add(hn::Mul(load(src + at(v)), weight), sum[v]);
    }
    for (; k < window.count; ++k) {
        const Vector weight = hn::Set(d, weights[k]);
        const auto *src = row(k);
        for (size_t v = 0; v < kVectors; ++v)
            sum[v] = fused(load(src + at(v)), weight, sum[v]);
    }
}

#if HWY_TARGET != HWY_SCALAR
/// Transposes 8 rows of 16 bytes: vector j holds columns 2 j and 2 j + 1.
HWY_INLINE void transpose(const std::array<const uint8_t *, kBlockRows> &rows, size_t at,
                          hn::Vec<Bytes> (&columns)[8]) {
    const Bytes d;
    hn::Vec<Bytes> pairs[8];
    for (size_t r = 0; r < 4; ++r) { // rows r and r + 4
        const auto upper = hn::LoadU(d, rows[r] + at);
        const auto lower = hn::LoadU(d, rows[r + 4] + at);
        pairs[2 * r] = hn::InterleaveLower(d, upper, lower);
        pairs[2 * r + 1] = hn::InterleaveUpper(d, upper, lower);
    }
    hn::Vec<Bytes> fours[8];
    for (size_t half = 0; half < 2; ++half) { // even rows, then odd ones
        for (size_t r = 0; r < 2; ++r) {
            const auto even = pairs[2 * r + half];
            const auto odd = pairs[2 * (r + 2) + half];
            fours[4 * half + 2 * r] = hn::InterleaveLower(d, even, odd);
            fours[4 * half + 2 * r + 1] = hn::InterleaveUpper(d, even, odd);
        }
    }
    for (size_t half = 0; half < 2; ++half) {
        for (size_t quarter = 0; quarter < 2; ++quarter) {
            const auto even = fours[4 * half + quarter];
            const auto odd = fours[4 * half + 2 + quarter];
            columns[4 * half + 2 * quarter] = hn::InterleaveLower(d, even, odd);
            columns[4 * half + 2 * quarter + 1] = hn::InterleaveUpper(d, even, odd);
        }
    }
}

/// Four vectors as the rows of a matrix: its columns. With more than four lanes, of each four.
template<class D>
HWY_INLINE void transpose(D d, hn::Vec<D> (&v)[kGroup]) {
    const hn::Repartition<uint64_t, D> pairs;
    const auto interleave = [&](auto a, auto b, auto &lower, auto &upper) {
        lower = hn::InterleaveLower(d, a, b);
        upper = hn::InterleaveUpper(d, a, b);
    };
    hn::Vec<D> low01, high01, low23, high23;
    interleave(v[0], v[1], low01, high01);
    interleave(v[2], v[3], low23, high23);
    const auto join = [&](auto a, auto b, auto &lower, auto &upper) {
        const auto x = hn::BitCast(pairs, a);
        const auto y = hn::BitCast(pairs, b);
        lower = hn::BitCast(d, hn::InterleaveLower(pairs, x, y));
        upper = hn::BitCast(d, hn::InterleaveUpper(pairs, x, y));
    };
    join(low01, low23, v[0], v[1]);
    join(high01, high23, v[2], v[3]);
}
#endif

/// The next kBlockRows bytes as floats.
HWY_INLINE void store_floats(const uint8_t *src, float *dst) {
    const Floats d;
    for (size_t r = 0; r < kBlockRows; r += hn::Lanes(d))
        hn::StoreU(load(src + r), d, dst + r);
}

void pack_one(const std::array<const uint8_t *, kBlockRows> &rows, size_t i, size_t step,
              float *block) {
    for (size_t r = 0; r < kBlockRows; ++r)
        block[i * step + r] = float(rows[r][i]);
}

#if HWY_TARGET == HWY_SCALAR
size_t pack_groups(const std::array<const uint8_t *, kBlockRows> & /*rows*/, size_t /*count*/,
                   size_t /*step*/, float * /*block*/) {
    return 0;
}
#else
void pack_group(const std::array<const uint8_t *, kBlockRows> &rows, size_t i, size_t step,
                float *block) {
    hn::Vec<Bytes> columns[8];
    transpose(rows, i, columns);
    HWY_ALIGN uint8_t bytes[kColumnGroup * kBlockRows];
    for (size_t j = 0; j < 8; ++j)
        hn::Store(columns[j], Bytes(), bytes + j * 16);
    for (size_t column = 0; column < kColumnGroup; ++column)
        store_floats(bytes + column * kBlockRows, block + (i + column) * step);
}

/// Answers how many columns were packed. The last group overlaps the one before.
size_t pack_groups(const std::array<const uint8_t *, kBlockRows> &rows, size_t count, size_t step,
                   float *block) {
    if (count < kColumnGroup)
        return 0;
    for (size_t i = 0; i + kColumnGroup < count; i += kColumnGroup)
        pack_group(rows, i, step, block);
    pack_group(rows, count - kColumnGroup, step, block);
    return count;
}
#endif

void run_pack_bytes(const std::array<const uint8_t *, kBlockRows> &rows, size_t count, size_t step,
                    float *block) {
    for (size_t i = pack_groups(rows, count, step, block); i < count; ++i)
        pack_one(rows, i, step, block);
}

/// Eight columns of sums, `step` floats apart in the block.
HWY_INLINE void pack_eight(const std::array<const int16_t *, kBlockRows> &rows, size_t i,
                           float *block, size_t step) {
#if HWY_TARGET == HWY_SCALAR
    for (size_t column = 0; column < kBlockRows; ++column) {
        for (size_t r = 0; r < kBlockRows; ++r)
            block[column * step + r] = float(rows[r][i + column]);
    }
#else
    const Floats d;
    const auto read = [&](size_t r, size_t column, Vector(&v)[kGroup]) {
        for (size_t j = 0; j < kGroup; ++j)
            v[j] = load(rows[r + j] + column);
        transpose(d, v);
    };
    Vector upper[kGroup];
    Vector lower[kGroup];
#if HWY_MAX_BYTES >= 32
    read(0, i, upper);
    read(kGroup, i, lower);
    for (size_t j = 0; j < kGroup; ++j) {
        hn::StoreU(hn::ConcatLowerLower(d, lower[j], upper[j]), d, block + j * step);
        hn::StoreU(hn::ConcatUpperUpper(d, lower[j], upper[j]), d, block + (kGroup + j) * step);
    }
#else
    for (size_t column = 0; column < kBlockRows; column += kGroup) {
        read(0, i + column, upper);
        read(kGroup, i + column, lower);
        for (size_t j = 0; j < kGroup; ++j) {
            hn::StoreU(upper[j], d, block + (column + j) * step);
            hn::StoreU(lower[j], d, block + (column + j) * step + kGroup);
        }
    }
#endif
#endif
}

void run_pack_sums(const std::array<const int16_t *, kBlockRows> &rows, size_t count, size_t step,
                   float *block) {
    size_t i = 0;
    for (; i + kBlockRows <= count; i += kBlockRows)
        pack_eight(rows, i, block + i * step, step);
    for (; i < count; ++i) {
        for (size_t r = 0; r < kBlockRows; ++r)
            block[i * step + r] = float(rows[r][i]);
    }
}

/// Writes `count` outputs, `lanes` floats apart in `sums`, into rows.
HWY_INLINE void store_rows(const float *sums, size_t count, size_t lanes, float *dst,
                           size_t stride) {
#if HWY_TARGET != HWY_SCALAR
    if (count == kGroup) {
        for (size_t r = 0; r < kBlockRows; r += kGroup) {
            hn::Vec<Quad> v[kGroup];
            for (size_t i = 0; i < kGroup; ++i)
                v[i] = hn::Load(Quad(), sums + i * lanes + r);
            transpose(Quad(), v);
            for (size_t i = 0; i < kGroup; ++i)
                hn::StoreU(v[i], Quad(), dst + (r + i) * stride);
        }
        return;
    }
#endif
    for (size_t r = 0; r < kBlockRows; ++r) {
        for (size_t i = 0; i < count; ++i)
            dst[r * stride + i] = sums[i * lanes + r];
    }
}

void run_horizontal(const ResampleTable &table, size_t begin, size_t end, const size_t *order,
                    const Block &block) {
    const Floats d;
    constexpr size_t kLanes = kBlockVectors * kBlockRows;
    constexpr size_t kWidth = hn::MaxLanes(Floats());
    constexpr size_t kVectors = kLanes / kWidth;
    const BlockLayout &layout = block.layout;
    size_t at[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
        const size_t g = v * kWidth / kBlockRows;
        at[v] = g / layout.channels * block.group + layout.first[g % layout.channels] +
                v * kWidth % kBlockRows;
    }
    HWY_ALIGN float sums[kOutputGroup * kLanes];
    for (const size_t *i = order; i != order + (end - begin); ++i) {
        const ResampleWindow &window = table.windows[*i];
        const float *src = block.data + size_t(window.first) * layout.pixel;
        Vector sum[kVectors];
        for (Vector &s : sum)
            s = hn::Zero(d);
        add_window(
            window, &table.weights[*i * size_t(table.taps)],
            [&](int k) { return src + size_t(k) * layout.pixel; }, [&](size_t v) { return at[v]; },
            sum);
        for (size_t v = 0; v < kVectors; ++v)
            hn::Store(sum[v], d, sums + (*i - begin) * kLanes + v * kWidth);
    }
    const size_t outputs = table.windows.size();
    for (size_t i = begin; i < end; i += kGroup) {
        for (size_t g = 0; g < kBlockVectors; ++g) {
            float *dst = block.dst + g / layout.channels * kBlockRows * block.stride +
                         g % layout.channels * outputs + i;
            store_rows(sums + (i - begin) * kLanes + g * kBlockRows, std::min(kGroup, end - i),
                       kLanes, dst, block.stride);
        }
    }
}

/// Rounds half to even and keeps the level within 8 bits.
HWY_INLINE void store(Vector sum, uint8_t *dst) {
    const Floats d;
    const auto clamped = hn::Clamp(sum, hn::Zero(d), hn::Set(d, 255.0F));
    hn::StoreU(hn::DemoteTo(hn::Rebind<uint8_t, Floats>(), hn::NearestInt(clamped)),
               hn::Rebind<uint8_t, Floats>(), dst);
}

void run_vertical(const ResampleWindow &window, const float *weights, const float *const *rows,
                  size_t count, uint8_t *dst) {
    const Floats d;
    constexpr size_t kWidth = hn::MaxLanes(Floats());
    constexpr size_t kVectors = 32 / kWidth;
    size_t i = 0;
    const auto sum_up = [&](auto &sum) {
        for (Vector &s : sum)
            s = hn::Zero(d);
        add_window(
            window, weights, [&](int k) { return rows[k] + i; },
            [](size_t v) { return v * kWidth; }, sum);
    };
    for (; i + kVectors * kWidth <= count; i += kVectors * kWidth) {
        Vector sum[kVectors];
        sum_up(sum);
        for (size_t v = 0; v < kVectors; ++v)
            store(sum[v], dst + i + v * kWidth);
    }
    for (; i + kWidth <= count; i += kWidth) {
        Vector sum[1];
        sum_up(sum);
        store(sum[0], dst + i);
    }
    if (i == count)
        return;
    // The rest, of which no more than `count` floats may be read.
    Vector sum = hn::Zero(d);
    HWY_ALIGN float values[kWidth] = {};
    for (int k = 0; k < window.count; ++k) {
        std::copy(rows[k] + i, rows[k] + count, values);
        const Vector weight = hn::Set(d, weights[k]);
        const Vector value = load(values);
        sum =
            k < window.separate ? hn::Add(hn::Mul(value, weight), sum) : fused(value, weight, sum);
    }
    uint8_t last[kWidth];
    store(sum, last);
    std::copy_n(last, count - i, dst + i);
}

/// Answers how many sums of each output were added to.
template<size_t kOutputs>
size_t add_vectors(const std::array<const uint8_t *, 2> &rows, size_t count,
                   const PairSums *outputs, size_t offset) {
    const hn::ScalableTag<int16_t> d;
    const hn::Rebind<uint8_t, decltype(d)> bytes;
    const WeightedRows<decltype(d), kOutputs> weighted(outputs);
    const auto levels = [&](const uint8_t *src) {
        const auto words = hn::PromoteTo(d, hn::LoadU(bytes, src));
        return hn::Xor(hn::ShiftLeft<8>(words), hn::Set(d, INT16_MIN));
    };
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes)
        weighted.add(levels(rows[0] + i), levels(rows[1] + i), offset + i);
    return i;
}

template<size_t kOutputs>
void add_to(const std::array<const uint8_t *, 2> &rows, size_t count, const PairSums *outputs,
            size_t offset) {
    for (size_t i = add_vectors<kOutputs>(rows, count, outputs, offset); i < count; ++i) {
        for (size_t o = 0; o < kOutputs; ++o)
            add_levels(outputs[o], rows[0][i], rows[1][i], offset + i);
    }
}

void run_add_rows(const std::array<const uint8_t *, 2> &rows, size_t count,
                  std::span<const PairSums> outputs, size_t offset) {
    in_threes(outputs, [&](auto number, const PairSums *some) {
        add_to<decltype(number)::value>(rows, count, some, offset);
    });
}

void run_round(const float *row, size_t count, uint8_t *dst) {
    constexpr float kMiddle = FixedTable::kMiddle;
    const Floats d;
    size_t i = 0;
    for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
        store(hn::Add(load(row + i), hn::Set(d, kMiddle)), dst + i);
    for (; i < count; ++i)
        dst[i] = pixel::level_of(row[i] + kMiddle);
}

/// Quotients as division rounds them. With fused multiply-add the estimate's remainder is exact,
/// and adding its quotient rounds correctly (Markstein, 1990); a reciprocal is rounded once per
/// row.
class Division {
public:
    explicit Division(float divisor)
        : divisor_(hn::Set(d_, divisor)), reciprocal_(hn::Set(d_, 1 / divisor)) {}
    HWY_INLINE Vector operator()(Vector x) const {
#if HWY_NATIVE_FMA
        const Vector estimate = hn::Mul(x, reciprocal_);
        return hn::MulAdd(hn::NegMulAdd(estimate, divisor_, x), reciprocal_, estimate);
#else
        return hn::Div(x, divisor_);
#endif
    }

private:
    Floats d_;
    Vector divisor_;
    Vector reciprocal_;
};

void run_normalize(const uint8_t *levels, size_t count, const LevelScale &scale, float *dst) {
    const Floats d;
    const Division by_white(255.0F);
    const Division by_std(scale.std);
    const Vector mean = hn::Set(d, scale.mean);
    size_t i = 0;
    for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
        const Vector level = load(levels + i);
        hn::StoreU(by_std(hn::Sub(by_white(level), mean)), d, dst + i);
    }
    for (; i < count; ++i)
        dst[i] = pixel::normalized(levels[i], scale.mean, scale.std);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw {
namespace {

HWY_EXPORT(run_pack_bytes);
HWY_EXPORT(run_pack_sums);
HWY_EXPORT(run_horizontal);
HWY_EXPORT(run_vertical);
HWY_EXPORT(run_round);
HWY_EXPORT(run_add_rows);
HWY_EXPORT(run_normalize);

} // namespace

void pack_bytes(const std::array<const uint8_t *, kBlockRows> &rows, size_t count, size_t step,
                float *block) {
    HWY_DYNAMIC_DISPATCH(run_pack_bytes)(rows, count, step, block);
}

void pack_sums(const std::array<const int16_t *, kBlockRows> &rows, size_t count, size_t step,
               float *block) {
    HWY_DYNAMIC_DISPATCH(run_pack_sums)(rows, count, step, block);
}

void resize_horizontally(const ResampleTable &table, size_t begin, size_t end, const size_t *order,
                         const Block &block) {
    HWY_DYNAMIC_DISPATCH(run_horizontal)(table, begin, end, order, block);
}

void resize_vertically(const ResampleWindow &window, const float *weights, const float *const *rows,
                       size_t count, uint8_t *dst) {
    HWY_DYNAMIC_DISPATCH(run_vertical)(window, weights, rows, count, dst);
}

void add_rows(const std::array<const uint8_t *, 2> &rows, size_t count,
              std::span<const PairSums> outputs, size_t offset) {
    HWY_DYNAMIC_DISPATCH(run_add_rows)(rows, count, outputs, offset);
}

void round_levels(const float *row, size_t count, uint8_t *dst) {
    HWY_DYNAMIC_DISPATCH(run_round)(row, count, dst);
}

void normalize_levels(const uint8_t *levels, size_t count, const LevelScale &scale, float *dst) {
    HWY_DYNAMIC_DISPATCH(run_normalize)(levels, count, scale, dst);
}

} // namespace tvw
#endif
