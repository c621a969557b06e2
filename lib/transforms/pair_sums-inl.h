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

/// Adds a level of each of the two rows.
inline void add_levels(const PairSums &output, int first, int second, size_t i) {
    const auto &[sums, before, weights] = output;
    const auto weighted = [](int level, int weight) { // as MulFixedPoint15
        return ((level - FixedTable::kMiddle) * 256 * weight + (1 << 14)) >> 15;
    };
    sums[i] = int16_t(before[i] + weighted(first, weights[0]) + weighted(second, weights[1]));
}

/// Outputs whose weights lie in vectors of words.
template<class D, size_t kOutputs>
class WeightedRows {
public:
    using Word = hn::Vec<D>;

    HWY_INLINE explicit WeightedRows(const PairSums *outputs) {
        for (size_t o = 0; o < kOutputs; ++o) {
            first_[o] = hn::Set(d_, outputs[o].weights[0]);
            second_[o] = hn::Set(d_, outputs[o].weights[1]);
            sums_[o] = outputs[o].sums;
            before_[o] = outputs[o].before;
        }
    }
    /// Adds levels of the two rows, in 256ths and less kMiddle, to the sums from `i` on.
    HWY_INLINE void add(Word first, Word second, size_t i) const {
        for (size_t o = 0; o < kOutputs; ++o) {
            const Word sum = hn::Add(hn::MulFixedPoint15(first, first_[o]),
                                     hn::MulFixedPoint15(second, second_[o]));
            hn::StoreU(hn::Add(sum, hn::LoadU(d_, before_[o] + i)), d_, sums_[o] + i);
        }
    }

private:
    D d_;
    Word first_[kOutputs];
    Word second_[kOutputs];
    int16_t *sums_[kOutputs];
    const int16_t *before_[kOutputs];
};

} // namespace HWY_NAMESPACE
} // namespace tvw
HWY_AFTER_NAMESPACE();

#endif
