// SPDX-License-Identifier: LGPL-2.1-or-later
// What every conversion of Y'CbCr has in common whose columns share chroma, compiled for each
// instruction set.
#include "base/simd.h"

#include "transforms/pixel.h"

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#if defined(TVW_TRANSFORMS_CHROMA_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TVW_TRANSFORMS_CHROMA_INL_H
#undef TVW_TRANSFORMS_CHROMA_INL_H
#else
#define TVW_TRANSFORMS_CHROMA_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tvw {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

/// Chroma of a column in sixteenths; `here` is the sample that it shares, in quarters, and its
/// neighbours are `step` away.
inline int32_t interpolated(pixel::ChromaAxis axis, bool odd, const int16_t *here, ptrdiff_t step) {
    if (axis == pixel::ChromaAxis::kCosited)
        return odd ? 2 * (here[0] + here[step]) : 4 * here[0];
    return 3 * here[0] + (odd ? here[step] : here[-step]);
}

#else

/// Of the even and the odd columns that share a vector of chroma.
template<class T>
struct EvenAndOdd {
    T even;
    T odd;
};

/// What a matrix makes of a vector of columns.
template<class Int>
struct Fixed {
    Int r;
    Int g;
    Int b;
};

/// Chroma in sixteenths; `load(k)` is that of `k` samples further, in quarters.
template<pixel::ChromaAxis kAxis, class Load>
HWY_INLINE auto interpolate(const Load &load) -> EvenAndOdd<decltype(load(0))> {
    const auto here = load(0);
    const auto next = load(1);
    if (kAxis == pixel::ChromaAxis::kCosited)
        return {hn::ShiftLeft<2>(here), hn::ShiftLeft<1>(hn::Add(here, next))};
    const auto thrice = hn::Add(hn::ShiftLeft<1>(here), here);
    return {hn::Add(thrice, load(-1)), hn::Add(thrice, next)};
}

/// Two vectors less `kBits` bits as words, in turns.
template<int kBits, class Ints>
HWY_INLINE hn::Vec<hn::Repartition<int16_t, Ints>> to_words(Ints, hn::Vec<Ints> first,
                                                            hn::Vec<Ints> second) {
    const hn::Repartition<int16_t, Ints> d;
    // That of the second is left in the upper half of its lane.
    const auto upper = [&] {
        if constexpr (kBits >= 16)
            return hn::ShiftRight<kBits - 16>(second);
        else
            return hn::ShiftLeft<16 - kBits>(second);
    };
    return hn::OddEven(hn::BitCast(d, upper()), hn::BitCast(d, hn::ShiftRight<kBits>(first)));
}

#endif

} // namespace HWY_NAMESPACE
} // namespace tvw
HWY_AFTER_NAMESPACE();

#endif
