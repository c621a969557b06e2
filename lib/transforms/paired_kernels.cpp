// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/simd.h"

#include "transforms/paired_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transforms/paired_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

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

/// One of a pair's samples for column `i`, in sixteenths.
template<ChromaAxis kAxis>
int32_t interpolated(const int16_t *here, size_t i) {
    const bool odd = i % 2 != 0;
    if (kAxis == ChromaAxis::kCosited)
        return odd ? 2 * (here[0] + here[2]) : 4 * here[0];
    return 3 * here[0] + (odd ? here[2] : here[-2]);
}

template<ChromaAxis kAxis>
int level(const PairCoefficients &k, const std::array<int16_t, 2> &weights, const PairedRow &row,
          size_t i) {
    const int16_t *here = row.pairs + i / 2 * 2;
    const int32_t fixed = row.y[i] * k.y + k.constant + interpolated<kAxis>(here, i) * weights[0] +
                          interpolated<kAxis>(here + 1, i) * weights[1];
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

/// What the coefficients make of a vector of columns, not yet shifted to levels.
struct Fixed {
    Int r;
    Int g;
    Int b;
};

class Matrix {
public:
    explicit Matrix(const PairCoefficients &k)
        : y_(hn::Set(d_, k.y)),
          constant_(hn::Set(d_, k.constant)),
          r_(set_pairs(Shorts(), k.r.data())),
          g_(set_pairs(Shorts(), k.g.data())),
          b_(set_pairs(Shorts(), k.b.data())) {}

    HWY_INLINE Fixed operator()(Int y, Short pairs) const {
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

/// Of the even and the odd columns that share a vector of pairs.
template<class T>
struct EvenAndOdd {
    T even;
    T odd;
};

/// Pairs in sixteenths.
template<ChromaAxis kAxis>
HWY_INLINE EvenAndOdd<Short> interpolate(const int16_t *src) {
    const Shorts d;
    const Short here = hn::LoadU(d, src);
    const Short next = hn::LoadU(d, src + 2);
    if (kAxis == ChromaAxis::kCosited)
        return {hn::ShiftLeft<2>(here), hn::ShiftLeft<1>(hn::Add(here, next))};
    const Short thrice = hn::Add(hn::ShiftLeft<1>(here), here);
    return {hn::Add(thrice, hn::LoadU(d, src - 2)), hn::Add(thrice, next)};
}

/// Luma of a vector of pairs.
HWY_INLINE EvenAndOdd<Int> load_luma(const uint8_t *src) {
    const Ints d;
    const hn::Repartition<uint16_t, Ints> words;
    const hn::Rebind<uint8_t, decltype(words)> bytes;
    const Int both = hn::BitCast(d, hn::PromoteTo(words, hn::LoadU(bytes, src)));
    return {hn::And(both, hn::Set(d, 0xFFFF)), hn::ShiftRight<16>(both)};
}

/// Levels of two rows as words, in turns.
HWY_INLINE Short to_levels(Int first, Int second) {
    const Shorts d;
    // One row's level is left in the upper half of its lane.
    const Short words = hn::OddEven(hn::BitCast(d, hn::ShiftRight<kFraction - 16>(second)),
                                    hn::BitCast(d, hn::ShiftRight<kFraction>(first)));
    return hn::Clamp(words, hn::Zero(d), hn::Set(d, 255));
}

template<ChromaAxis kAxis, size_t kOutputs>
void add_rows(const PairCoefficients &k, const std::array<PairedRow, 2> &rows, size_t count,
              const PairSums *outputs, size_t channel, size_t offset) {
    const Matrix matrix(k);
    const WeightedPairs<Ints, kOutputs> pairs(outputs);
    const auto add = [&](Int y0, Short chroma0, Int y1, Short chroma1, size_t at) {
        const Fixed first = matrix(y0, chroma0);
        const Fixed second = matrix(y1, chroma1);
        pairs.add(to_levels(first.r, second.r), at);
        pairs.add(to_levels(first.g, second.g), at + channel);
        pairs.add(to_levels(first.b, second.b), at + 2 * channel);
    };
    for (size_t i = 0; i < count; i += 2 * hn::Lanes(Ints())) {
        const EvenAndOdd<Int> y0 = load_luma(rows[0].y + i);
        const EvenAndOdd<Int> y1 = load_luma(rows[1].y + i);
        const EvenAndOdd<Short> chroma0 = interpolate<kAxis>(rows[0].pairs + i);
        const EvenAndOdd<Short> chroma1 = interpolate<kAxis>(rows[1].pairs + i);
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
