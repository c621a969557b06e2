// SPDX-License-Identifier: LGPL-2.1-or-later
// A pair of rows under the weights of a few outputs, compiled for each instruction set.
#include "base/simd.h"

#include "transforms/row_kernels.h"

#include <hwy/highway.h>

#include <type_traits>

#if defined(TVW_TRANSFORMS_PAIR_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TVW_TRANSFORMS_PAIR_SUMS_INL_H
#undef TVW_TRANSFORMS_PAIR_SUMS_INL_H
#else
#define TVW_TRANSFORMS_PAIR_SUMS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tvw {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Calls f(number, first) for the outputs, three at a time as long as there are so many.
template<class F>
void in_threes(std::span<const PairSums> outputs, const F &f) {
    for (; outputs.size() >= 3; outputs = outputs.subspan(3))
        f(std::integral_constant<size_t, 3>(), outputs.data());
    if (outputs.size() == 2)
        f(std::integral_constant<size_t, 2>(), outputs.data());
    else if (outputs.size() == 1)
        f(std::integral_constant<size_t, 1>(), outputs.data());
}

#if HWY_TARGET != HWY_SCALAR

/// Two words for all pairs of a vector.
template<class Words>
HWY_INLINE hn::Vec<Words> set_pairs(Words d, const int16_t *words) {
    int32_t both;
    hwy::CopyBytes<sizeof(both)>(words, &both);
    return hn::BitCast(d, hn::Set(hn::Repartition<int32_t, Words>(), both));
}

/// Of each pair of words the sum of the two products.
template<class Integers, class Word>
HWY_INLINE hn::Vec<Integers> products_of_pairs(Integers d, Word a, Word b) {
    auto rest = hn::Zero(d);
    const auto sums = hn::ReorderWidenMulAccumulate(d, a, b, hn::Zero(d), rest);
    return hn::RearrangeToOddPlusEven(sums, rest);
}

template<class Integers, size_t kOutputs>
class WeightedPairs {
public:
    using Words = hn::Repartition<int16_t, Integers>;

    HWY_INLINE explicit WeightedPairs(const PairSums *outputs) {
        for (size_t o = 0; o < kOutputs; ++o) {
            weights_[o] = set_pairs(Words(), outputs[o].weights);
            sums_[o] = outputs[o].sums;
            before_[o] = outputs[o].before;
        }
    }
    /// Adds words of the two rows, in turns, to the sums from `i` on.
    HWY_INLINE void add(hn::Vec<Words> words, size_t i) const {
        const Integers d;
        for (size_t o = 0; o < kOutputs; ++o) {
            const auto sum = products_of_pairs(d, words, weights_[o]);
            hn::StoreU(hn::Add(sum, hn::LoadU(d, before_[o] + i)), d, sums_[o] + i);
        }
    }

private:
    hn::Vec<Words> weights_[kOutputs];
    int32_t *sums_[kOutputs];
    const int32_t *before_[kOutputs];
};

#endif

} // namespace HWY_NAMESPACE
} // namespace tvw
HWY_AFTER_NAMESPACE();

#endif
