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
/// From an even column's sum to that of the odd one next to it.
constexpr size_t kHalf = kPairedColumns / 2;

#if HWY_TARGET == HWY_SCALAR

template<ChromaAxis kAxis>
int level(const PairCoefficients &k, const std::array<int16_t, 2> &weights, const PairedRow &row,
          size_t i) {
    const int16_t *here = row.pairs + i / 2 * 2;
    const bool odd = i % 2 != 0;
    const int32_t fixed = row.y[i] * k.y + k.constant +
                          interpolated(kAxis, odd, here, 2) * weights[0] +
                          interpolated(kAxis, odd, here + 1, 2) * weights[1];
    return std::clamp(fixed >> kFraction, 0, 255);
}

template<ChromaAxis kAxis, size_t kOutputs>
void add_rows(const PairCoefficients &k, const std::array<PairedRow, 2> &rows, size_t count,
              const PairSums *outputs, size_t channel, size_t offset) {
    const std::array<int16_t, 2> *weights[] = {&k.r, &k.g, &k.b};
    for (size_t c = 0; c < 3; ++c) {
        for (size_t i = 0; i < count; ++i) {
            const int first = level<kAxis>(k, *weights[c], rows[0], i);
            const int second = level<kAxis>(k, *weights[c], rows[1], i);
            const size_t at = offset + c * channel + i / kPairedColumns * kPairedColumns +
                              i % 2 * kHalf + i % kPairedColumns / 2;
            for (size_t o = 0; o < kOutputs; ++o) {
                const PairSums &output = outputs[o];
                output.sums[at] =
                    output.before[at] + first * output.weights[0] + second * output.weights[1];
            }
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

// Of one parity of a group of columns at most.
using Ints = hn::CappedTag<int32_t, kHalf>;
using Shorts = hn::Repartition<int16_t, Ints>;
using Int = hn::Vec<Ints>;
using Short = hn::Vec<Shorts>;

class Matrix {
public:
    explicit Matrix(const PairCoefficients &k)
        : y_(hn::Set(d_, k.y)),
          constant_(hn::Set(d_, k.constant)),
          r_(set_pairs(Shorts(), k.r.data())),
          g_(set_pairs(Shorts(), k.g.data())),
          b_(set_pairs(Shorts(), k.b.data())) {}

    HWY_INLINE Fixed<Int> operator()(Int y, Short pairs) const {
        const Int luma = hn::Add(hn::Mul(y, y_), constant_);
        return {hn::Add(luma, products_of_pairs(d_, pairs, r_)),
                hn::Add(luma, products_of_pairs(d_, pairs, g_)),
                hn::Add(luma, products_of_pairs(d_, pairs, b_))};
    }

private:
    Ints d_;
    Int y_, constant_;
    Short r_, g_, b_;
};

/// Pairs in sixteenths.
template<ChromaAxis kAxis>
HWY_INLINE EvenAndOdd<Short> interpolate_pairs(const int16_t *src) {
    return interpolate<kAxis>([src](ptrdiff_t k) { return hn::LoadU(Shorts(), src + 2 * k); });
}

HWY_INLINE EvenAndOdd<Int> load_luma(const uint8_t *src) {
    const hn::Repartition<uint16_t, Ints> words;
    const hn::Rebind<uint8_t, decltype(words)> bytes;
    return split_luma(Ints(), hn::PromoteTo(words, hn::LoadU(bytes, src)));
}

/// Of two rows, in turns.
HWY_INLINE Short clamped_levels(Int first, Int second) {
    const Shorts d;
    return hn::Clamp(to_levels<kFraction>(Ints(), first, second), hn::Zero(d), hn::Set(d, 255));
}

template<ChromaAxis kAxis, size_t kOutputs>
void add_rows(const PairCoefficients &k, const std::array<PairedRow, 2> &rows, size_t count,
              const PairSums *outputs, size_t channel, size_t offset) {
    const Matrix matrix(k);
    const WeightedPairs<Ints, kOutputs> pairs(outputs);
    const auto add = [&](Int y0, Short chroma0, Int y1, Short chroma1, size_t at) {
        const Fixed<Int> first = matrix(y0, chroma0);
        const Fixed<Int> second = matrix(y1, chroma1);
        pairs.add(clamped_levels(first.r, second.r), at);
        pairs.add(clamped_levels(first.g, second.g), at + channel);
        pairs.add(clamped_levels(first.b, second.b), at + 2 * channel);
    };
    for (size_t i = 0; i < count; i += 2 * hn::Lanes(Ints())) {
        const EvenAndOdd<Int> y0 = load_luma(rows[0].y + i);
        const EvenAndOdd<Int> y1 = load_luma(rows[1].y + i);
        const EvenAndOdd<Short> chroma0 = interpolate_pairs<kAxis>(rows[0].pairs + i);
        const EvenAndOdd<Short> chroma1 = interpolate_pairs<kAxis>(rows[1].pairs + i);
        const size_t at = offset + i / kPairedColumns * kPairedColumns + i % kPairedColumns / 2;
        add(y0.even, chroma0.even, y1.even, chroma1.even, at);
        add(y0.odd, chroma0.odd, y1.odd, chroma1.odd, at + kHalf);
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
    const auto fixed = [](int32_t value) { return (value + (1 << (kShift - 1))) >> kShift; };
    const auto pair = [&](int32_t u, int32_t v) {
        std::array result = {int16_t(fixed(u)), int16_t(fixed(v))};
        if (swapped)
            std::swap(result[0], result[1]);
        return result;
    };
    const int half = 1 << (PairCoefficients::kFraction - 1);
    return {fixed(k.y), half - fixed(k.y_offset * k.y), pair(0, k.r_v), pair(-k.g_u, -k.g_v),
            pair(k.b_u, 0)};
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
