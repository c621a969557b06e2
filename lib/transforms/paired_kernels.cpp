// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/simd.h"

#include "transforms/paired_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transforms/paired_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "transforms/chroma-inl.h"
#include "transforms/pair_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using pixel::ChromaAxis;

constexpr int kFraction = PairCoefficients::kFraction;
constexpr int kLumaFraction = PairCoefficients::kLumaFraction;

#if HWY_TARGET == HWY_SCALAR

template<ChromaAxis kAxis>
int level(const PairCoefficients &k, const std::array<int16_t, 2> &weights, const PairedRow &row,
          size_t i) {
    const int16_t *here = row.pairs + i / 2 * 2;
    const bool odd = i % 2 != 0;
    const int32_t fixed = (row.y[i] << kLumaFraction) * k.y + k.constant +
                          interpolated(kAxis, odd, here, 2) * weights[0] +
                          interpolated(kAxis, odd, here + 1, 2) * weights[1];
    return std::clamp((fixed >> kFraction) + FixedTable::kMiddle, 0, 255);
}

template<ChromaAxis kAxis, size_t kOutputs>
void add_rows(const PairCoefficients &k, const std::array<PairedRow, 2> &rows, size_t count,
              const PairSums *outputs, size_t channel, size_t offset) {
    const std::array<int16_t, 2> *weights[] = {&k.r, &k.g, &k.b};
    for (size_t c = 0; c < 3; ++c) {
        for (size_t i = 0; i < count; ++i) {
            const int first = level<kAxis>(k, *weights[c], rows[0], i);
            const int second = level<kAxis>(k, *weights[c], rows[1], i);
            for (size_t o = 0; o < kOutputs; ++o)
                add_levels(outputs[o], first, second, offset + c * channel + i);
        }
    }
}

void run_interleave(const int16_t *a, const int16_t *b, size_t count, int16_t *dst) {
    for (size_t i = 0; i < count; ++i) {
        dst[2 * i] = a[i];
        dst[2 * i + 1] = b[i];
    }
}

#else

using Ints = hn::CappedTag<int32_t, kRowPadding / sizeof(int32_t)>;
using Shorts = hn::Repartition<int16_t, Ints>;
using Int = hn::Vec<Ints>;
using Short = hn::Vec<Shorts>;

/// Two words for all pairs of a vector.
HWY_INLINE Short set_pairs(int16_t even, int16_t odd) {
    const Shorts d;
    return hn::OddEven(hn::Set(d, odd), hn::Set(d, even));
}

/// Of each pair of words the sum of the two products.
HWY_INLINE Int products_of_pairs(Short a, Short b) {
    const Ints d;
    Int rest = hn::Zero(d);
    const Int sums = hn::ReorderWidenMulAccumulate(d, a, b, hn::Zero(d), rest);
    return hn::RearrangeToOddPlusEven(sums, rest);
}

class Matrix {
public:
    explicit Matrix(const PairCoefficients &k)
        : even_y_(set_pairs(k.y, 0)),
          odd_y_(set_pairs(0, k.y)),
          r_(set_pairs(k.r[0], k.r[1])),
          g_(set_pairs(k.g[0], k.g[1])),
          b_(set_pairs(k.b[0], k.b[1])),
          constant_(hn::Set(Ints(), k.constant)) {}

    /// Of even and odd columns.
    HWY_INLINE EvenAndOdd<Fixed<Int>> operator()(Short y, const EvenAndOdd<Short> &pairs) const {
        return {add_chroma(products_of_pairs(y, even_y_), pairs.even),
                add_chroma(products_of_pairs(y, odd_y_), pairs.odd)};
    }

private:
    HWY_INLINE Fixed<Int> add_chroma(Int luma, Short pairs) const {
        luma = hn::Add(luma, constant_);
        return {hn::Add(luma, products_of_pairs(pairs, r_)),
                hn::Add(luma, products_of_pairs(pairs, g_)),
                hn::Add(luma, products_of_pairs(pairs, b_))};
    }

    Short even_y_, odd_y_, r_, g_, b_;
    Int constant_;
};

/// Pairs in sixteenths.
template<ChromaAxis kAxis>
HWY_INLINE EvenAndOdd<Short> interpolate_pairs(const int16_t *src) {
    return interpolate<kAxis>([src](ptrdiff_t k) { return hn::LoadU(Shorts(), src + 2 * k); });
}

HWY_INLINE Short load_luma(const uint8_t *src) {
    const hn::Rebind<uint8_t, Shorts> bytes;
    return hn::ShiftLeft<kLumaFraction>(hn::PromoteTo(Shorts(), hn::LoadU(bytes, src)));
}

/// Levels of even and odd columns, in turns; in 256ths and less kMiddle.
HWY_INLINE Short levels(Int even, Int odd) {
    // Doubled twice, a sum in 64ths keeps within the levels' range by saturation.
    const Shorts d;
    const Short sum = to_words<kFraction - 6>(Ints(), even, odd);
    const Short twice = hn::SaturatedAdd(sum, sum);
    return hn::AndNot(hn::Set(d, 0xFF), hn::SaturatedAdd(twice, twice));
}

template<ChromaAxis kAxis>
HWY_INLINE Fixed<Short> load_levels(const Matrix &matrix, const PairedRow &row, size_t i) {
    const auto [even, odd] = matrix(load_luma(row.y + i), interpolate_pairs<kAxis>(row.pairs + i));
    return {levels(even.r, odd.r), levels(even.g, odd.g), levels(even.b, odd.b)};
}

template<ChromaAxis kAxis, size_t kOutputs>
void add_rows(const PairCoefficients &k, const std::array<PairedRow, 2> &rows, size_t count,
              const PairSums *outputs, size_t channel, size_t offset) {
    const Matrix matrix(k);
    const WeightedRows<Shorts, kOutputs> weighted(outputs);
    for (size_t i = 0; i < count; i += hn::Lanes(Shorts())) {
        const Fixed<Short> first = load_levels<kAxis>(matrix, rows[0], i);
        const Fixed<Short> second = load_levels<kAxis>(matrix, rows[1], i);
        weighted.add(first.r, second.r, offset + i);
        weighted.add(first.g, second.g, offset + i + channel);
        weighted.add(first.b, second.b, offset + i + 2 * channel);
    }
}

void run_interleave(const int16_t *a, const int16_t *b, size_t count, int16_t *dst) {
    const Shorts d;
    for (size_t i = 0; i < count; i += hn::Lanes(d))
        hn::StoreInterleaved2(hn::LoadU(d, a + i), hn::LoadU(d, b + i), d, dst + 2 * i);
}

#endif

void run_add_rows(const PairCoefficients &k, ChromaAxis axis, const std::array<PairedRow, 2> &rows,
                  size_t count, std::span<const PairSums> outputs, size_t channel, size_t offset) {
    in_threes(outputs, [&](auto number, const PairSums *some) {
        constexpr size_t kOutputs = decltype(number)::value;
        if (axis == ChromaAxis::kCosited)
            add_rows<ChromaAxis::kCosited, kOutputs>(k, rows, count, some, channel, offset);
        else
            add_rows<ChromaAxis::kCentered, kOutputs>(k, rows, count, some, channel, offset);
    });
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw {
namespace {

HWY_EXPORT(run_add_rows);
HWY_EXPORT(run_interleave);

} // namespace

PairCoefficients pair_coefficients(const pixel::YuvCoefficients &k, bool swapped) {
    constexpr int kShift = pixel::YuvCoefficients::kFraction - PairCoefficients::kFraction;
    const auto fixed = [](int32_t value, int bits = 0) {
        const int shift = kShift + bits;
        return (value + (1 << (shift - 1))) >> shift;
    };
    const auto pair = [&](int32_t u, int32_t v) {
        std::array result = {int16_t(fixed(u)), int16_t(fixed(v))};
        if (swapped)
            std::swap(result[0], result[1]);
        return result;
    };
    constexpr int kLumaFraction = PairCoefficients::kLumaFraction;
    const auto y = int16_t(fixed(k.y, kLumaFraction));
    // What the rounding of y's takes is given back to middle grey.
    constexpr int kMiddle = FixedTable::kMiddle;
    const int middle = fixed((kMiddle - k.y_offset) * k.y) - (kMiddle << kLumaFraction) * y;
    constexpr int kHalf = 1 << (PairCoefficients::kFraction - 1);
    constexpr int kLess = kMiddle << PairCoefficients::kFraction;
    return {y, middle + kHalf - kLess, pair(0, k.r_v), pair(-k.g_u, -k.g_v), pair(k.b_u, 0)};
}

void add_paired_rows(const PairCoefficients &k, pixel::ChromaAxis axis,
                     const std::array<PairedRow, 2> &rows, size_t count,
                     std::span<const PairSums> outputs, size_t channel, size_t offset) {
    HWY_DYNAMIC_DISPATCH(run_add_rows)(k, axis, rows, count, outputs, channel, offset);
}

void interleave(const int16_t *a, const int16_t *b, size_t count, int16_t *dst) {
    HWY_DYNAMIC_DISPATCH(run_interleave)(a, b, count, dst);
}

} // namespace tvw
#endif
