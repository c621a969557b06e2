// SPDX-License-Identifier: LGPL-2.1-or-later
// Two products of a matrix and a vector, bound by reading the weights: these are packed for every
// 16 outputs [inputs][16], so that they are read from front to back and sums need no shuffling.
#include "backends/cpu/kernels/simd.h"

#include "backends/cpu/kernels/squeeze.h"

#include "backends/cpu/parallel.h"

#include <algorithm>

#include <hwy/aligned_allocator.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/squeeze.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/math-inl.h"

#ifndef TVW_CPU_SQUEEZE_ONCE
#define TVW_CPU_SQUEEZE_ONCE
namespace tvw::cpu::squeeze {

/// Outputs of a block of weights: a cache line.
inline constexpr int64_t kBlock = 16;

/// output = activation(factor · weight · input + bias)
struct Product {
    int64_t inputs;
    int64_t outputs;
    const float *weight; ///< packed, and after all blocks the bias
    const float *input;
    float factor;
    float *output;
    std::optional<op::ActivationKind> activation;
};

inline int64_t blocks_of(int64_t outputs) {
    return (outputs + kBlock - 1) / kBlock;
}

} // namespace tvw::cpu::squeeze
#endif

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using squeeze::kBlock;
using squeeze::Product;

/// A block of 16 outputs. Four inputs at a time go to sums of their own: the processor adds no
/// faster than it finishes the additions before.
void multiply_block(const Product &product, int64_t block) {
    constexpr int kWays = 4;
    const hn::CappedTag<float, size_t(kBlock)> d;
    constexpr int kVectors = int(kBlock) / int(hn::MaxLanes(d));
    const int64_t lanes = int64_t(hn::Lanes(d));
    const float *weight = product.weight + block * product.inputs * kBlock;
    using V = hn::Vec<decltype(d)>;
    V sums[kWays][kVectors];
    for (int way = 0; way < kWays; way++)
        for (int v = 0; v < kVectors; v++)
            sums[way][v] = hn::Zero(d);
    int64_t i = 0;
    for (; i + kWays <= product.inputs; i += kWays, weight += kWays * kBlock) {
#pragma GCC unroll 4
        for (int way = 0; way < kWays; way++) {
            const V input = hn::Set(d, product.input[i + way]);
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; v++)
                sums[way][v] =
                    hn::MulAdd(input, hn::Load(d, weight + way * kBlock + v * lanes), sums[way][v]);
        }
    }
    for (; i < product.inputs; i++, weight += kBlock)
        for (int v = 0; v < kVectors; v++)
            sums[0][v] = hn::MulAdd(hn::Set(d, product.input[i]), hn::Load(d, weight + v * lanes),
                                    sums[0][v]);
    const float *bias =
        product.weight + squeeze::blocks_of(product.outputs) * product.inputs * kBlock;
    HWY_ALIGN float results[kBlock];
    for (int v = 0; v < kVectors; v++) {
        const V sum = hn::Add(hn::Add(sums[0][v], sums[1][v]), hn::Add(sums[2][v], sums[3][v]));
        const V value = hn::MulAdd(sum, hn::Set(d, product.factor),
                                   hn::Load(d, bias + block * kBlock + v * lanes));
        hn::Store(activate(d, value, product.activation), d, results + v * lanes);
    }
    const int64_t first = block * kBlock;
    std::copy_n(results, std::min(kBlock, product.outputs - first), product.output + first);
}

void multiply(const Product &product) {
    parallel(squeeze::blocks_of(product.outputs), [&](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; block++)
            multiply_block(product, block);
    });
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {
namespace {

using squeeze::kBlock;

/// Products of fewer weights than this (half a megabyte) are done before a team wakes.
constexpr int64_t kWorthATeam = 128 * 1024;

HWY_EXPORT(multiply);

std::shared_ptr<const float[]> pack(const float *weight, const float *bias, int64_t outputs,
                                    int64_t inputs) {
    const int64_t blocks = squeeze::blocks_of(outputs);
    const int64_t size = blocks * (inputs + 1) * kBlock;
    auto packed = hwy::AllocateAligned<float>(size_t(size));
    std::fill_n(packed.get(), size, 0.0f);
    for (int64_t o = 0; o < outputs; o++) {
        float *block = packed.get() + o / kBlock * inputs * kBlock;
        for (int64_t i = 0; i < inputs; i++)
            block[i * kBlock + o % kBlock] = weight[o * inputs + i];
    }
    if (bias)
        std::copy_n(bias, outputs, packed.get() + blocks * inputs * kBlock);
    return std::shared_ptr<const float[]>(std::move(packed));
}

} // namespace

SqueezeExcitation::SqueezeExcitation(const Parameters &p)
    : channels_(p.channels),
      squeezed_(p.squeezed),
      inner_(p.inner),
      gate_(p.gate),
      first_(pack(p.w1, p.b1, p.squeezed, p.channels)),
      second_(pack(p.w2, p.b2, p.channels, p.squeezed)) {}

int64_t SqueezeExcitation::scratch_floats() const {
    return squeezed_;
}

void SqueezeExcitation::run(const float *sums, float factor, float *scale, float *scratch) const {
    std::optional<OneThread> alone;
    if (channels_ * squeezed_ < kWorthATeam)
        alone.emplace();
    HWY_DYNAMIC_DISPATCH(multiply)
    ({channels_, squeezed_, first_.get(), sums, factor, scratch, inner_});
    HWY_DYNAMIC_DISPATCH(multiply)
    ({squeezed_, channels_, second_.get(), scratch, 1, scale, gate_});
}

} // namespace tvw::cpu
#endif
