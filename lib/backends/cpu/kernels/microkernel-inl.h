// SPDX-License-Identifier: LGPL-2.1-or-later
// The microkernel of all matrix products: a block of rows of A times a strip of two vectors of
// columns of B, with every sum in a register from the first product to the last. B lies in panels
// of kPanel columns, A is read in place. And what is done to its results.
//
// Included once for each of Highway's targets.
#if defined(TVW_CPU_MICROKERNEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TVW_CPU_MICROKERNEL_INL_H
#undef TVW_CPU_MICROKERNEL_INL_H
#else
#define TVW_CPU_MICROKERNEL_INL_H
#endif

#include "backends/cpu/kernels/gemm.h"

#include <hwy/highway.h>

#include "backends/cpu/kernels/math-inl.h"

#include <algorithm>
#include <array>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

// Known when compiled: simd.h admits only targets whose vectors have a fixed length.
inline constexpr int64_t kLanes = HWY_LANES(float);
inline constexpr int64_t kStrip = 2 * kLanes;

// Twice as many sums, the strip's two vectors and one factor must fit the registers.
#if HWY_TARGET == HWY_AVX3
inline constexpr int kMaxRows = 12; // of 32 registers
#elif HWY_TARGET == HWY_AVX2
inline constexpr int kMaxRows = 6; // of 16
#elif HWY_ARCH_ARM_A64
inline constexpr int kMaxRows = 12; // of 32
#else
inline constexpr int kMaxRows = 5; // of 16, and products need one
#endif

/// Values of k in one turn of the microkernel's loop.
inline constexpr int kSteps = 2;

/// One call of the microkernel: c[row][0, strip) = activation(sum_k a[row][k] · b[k] + bias +
/// residual[row]).
struct Block {
    const float *a;
    int64_t a_stride;
    const float *b;   ///< the strip's first vector for k = 0; kPanel floats on lies that for k = 1
    int64_t b_second; ///< floats from there to its second vector
    int64_t depth;    ///< k < depth
    float *c;         ///< any alignment
    int64_t c_stride;
    const float *bias;     ///< null for none
    const float *residual; ///< null for none
    int64_t residual_stride;
    int activation;                   ///< kNoActivation, or one of those that `fits_registers`
    const float *next = nullptr;      ///< what is multiplied later: fetched meanwhile; not null
    int64_t next_step = 0;            ///< floats of it for each turn of kSteps products
    const int64_t *columns = nullptr; ///< [depth], see Columns
};

/// How the columns of A lie: side by side, or each where a list says.
enum class Columns { kDense, kScattered };

inline constexpr int kNoActivation = -1;

constexpr int activation_number(const std::optional<op::ActivationKind> &kind) {
    return kind ? static_cast<int>(*kind) : kNoActivation;
}

/// `activate` for a kind that is known when compiled.
template<int kActivation, class D, class V = hn::Vec<D>>
HWY_INLINE V activate_known(D d, V x) {
    if constexpr (kActivation == kNoActivation)
        return x;
    else
        return activate(d, x, op::ActivationKind(kActivation));
}

/// Whether the activation is so simple that it needs few registers beside the sums.
constexpr bool fits_registers(int activation) {
    return activation == kNoActivation || activation == int(op::ActivationKind::kRelu) ||
           activation == int(op::ActivationKind::kRelu6) ||
           activation == int(op::ActivationKind::kHardswish);
}

// The sums of rows kRow, kRow + 1, … kRows - 1. A recursive type and not an array, since compilers
// keep arrays in memory.
template<int kRow, int kRows, bool kTwo>
struct Sums {
    FloatVector first;
    FloatVector second;
    Sums<kRow + 1, kRows, kTwo> rest;

    HWY_INLINE void start(FloatVector bias0, FloatVector bias1) {
        first = bias0;
        second = bias1;
        rest.start(bias0, bias1);
    }

    // Row i is read at base[i / 3] + index[i % 3] + offset: few registers that count, and none that
    // counts for the products of one turn of the loop.
    HWY_INLINE void add(const float *const *base, const int64_t *index, int64_t offset,
                        FloatVector b0, FloatVector b1) {
        const FloatTag d;
        const FloatVector x = hn::Set(d, base[kRow / 3][index[kRow % 3] + offset]);
        first = hn::MulAdd(x, b0, first);
        if constexpr (kTwo)
            second = hn::MulAdd(x, b1, second);
        rest.add(base, index, offset, b0, b1);
    }

    HWY_INLINE void add_residual(const float *residual, int64_t stride) {
        const FloatTag d;
        first = hn::Add(first, hn::LoadU(d, residual));
        if constexpr (kTwo)
            second = hn::Add(second, hn::LoadU(d, residual + kLanes));
        rest.add_residual(residual + stride, stride);
    }

    template<int kActivation>
    HWY_INLINE void store(float *c, int64_t stride) const {
        const FloatTag d;
        hn::StoreU(activate_known<kActivation>(d, first), d, c);
        if constexpr (kTwo)
            hn::StoreU(activate_known<kActivation>(d, second), d, c + kLanes);
        rest.template store<kActivation>(c + stride, stride);
    }
};

template<int kRows, bool kTwo>
struct Sums<kRows, kRows, kTwo> {
    HWY_INLINE void start(FloatVector, FloatVector) {}
    HWY_INLINE void add(const float *const *, const int64_t *, int64_t, FloatVector, FloatVector) {}
    HWY_INLINE void add_residual(const float *, int64_t) {}
    template<int kActivation>
    HWY_INLINE void store(float *, int64_t) const {}
};

template<int kRows, bool kTwo>
HWY_INLINE void start(Sums<0, kRows, kTwo> &sums, const float *bias) {
    const FloatTag d;
    const FloatVector zero = hn::Zero(d);
    if (bias == nullptr)
        sums.start(zero, zero);
    else
        sums.start(hn::LoadU(d, bias), kTwo ? hn::LoadU(d, bias + kLanes) : zero);
}

template<int kRows, bool kTwo>
HWY_INLINE void finish(Sums<0, kRows, kTwo> &sums, const Block &block) {
    if (block.residual != nullptr)
        sums.add_residual(block.residual, block.residual_stride);
    switch (block.activation) {
    case int(op::ActivationKind::kRelu):
        return sums.template store<int(op::ActivationKind::kRelu)>(block.c, block.c_stride);
    case int(op::ActivationKind::kRelu6):
        return sums.template store<int(op::ActivationKind::kRelu6)>(block.c, block.c_stride);
    case int(op::ActivationKind::kHardswish):
        return sums.template store<int(op::ActivationKind::kHardswish)>(block.c, block.c_stride);
    default:
        return sums.template store<kNoActivation>(block.c, block.c_stride);
    }
}

/// Where sums will be stored, and what is added to them, are seldom near.
template<int kRows>
HWY_INLINE void fetch_results(const Block &block) {
    for (int i = 0; i < kRows; ++i)
        __builtin_prefetch(block.c + i * block.c_stride, 1);
    for (int i = 0; i < kRows && block.residual != nullptr; ++i)
        __builtin_prefetch(block.residual + i * block.residual_stride);
}

/// Where the microkernel reads: it moves along k.
struct Cursor {
    const float *base[(kMaxRows + 2) / 3];
    int64_t index[3];
    const float *b;
    int64_t b_second;
    const float *next;

    explicit Cursor(const Block &block)
        : index{0, block.a_stride, 2 * block.a_stride},
          b(block.b),
          b_second(kStrip > kPanel ? block.b_second : kLanes),
          next(block.next) {
        for (int i = 0; i < (kMaxRows + 2) / 3; ++i)
            base[i] = block.a + int64_t{3} * i * block.a_stride;
    }
};

// Products for kCount values of k. With counters that move once in a while, the multiplications are
// more than half of all instructions, which counts where two threads share a core.
template<int kCount, int kRows, bool kTwo>
HWY_INLINE void advance(Sums<0, kRows, kTwo> &sums, Cursor &at) {
    const FloatTag d;
#pragma GCC unroll 8
    for (int step = 0; step < kCount; ++step) {
        const FloatVector b0 = hn::Load(d, at.b + step * kPanel);
        const FloatVector b1 = kTwo ? hn::Load(d, at.b + step * kPanel + at.b_second) : b0;
        sums.add(at.base, at.index, step, b0, b1);
    }
    at.b += kCount * kPanel;
}

template<int kRows, bool kTwo, Columns kColumns>
void multiply_block(const Block &block) {
    Sums<0, kRows, kTwo> sums;
    start(sums, block.bias);
    fetch_results<kRows>(block);

    Cursor at(block);
    int64_t k = 0;
    if constexpr (kColumns == Columns::kScattered) {
        for (; k < block.depth; ++k) {
            at.index[0] = block.columns[k];
            at.index[1] = at.index[0] + block.a_stride;
            at.index[2] = at.index[1] + block.a_stride;
            advance<1>(sums, at);
        }
    } else {
        const auto move = [&at](int64_t steps) {
            for (int64_t &index : at.index)
                index += steps;
        };
        for (; k + kSteps <= block.depth; k += kSteps) {
            __builtin_prefetch(at.next, 0, 2); // to the second-level cache
            at.next += block.next_step;
            advance<kSteps>(sums, at);
            move(kSteps);
        }
        for (; k < block.depth; ++k) {
            advance<1>(sums, at);
            move(1);
        }
    }
    finish(sums, block);
}

using Kernel = void (*)(const Block &);

template<bool kTwo, Columns kColumns, int... kRows>
constexpr std::array<Kernel, sizeof...(kRows)>
list_kernels(std::integer_sequence<int, kRows...> /*rows*/) {
    return {&multiply_block<kRows + 1, kTwo, kColumns>...};
}

/// The microkernel for 1 ≤ rows ≤ kMaxRows and a strip of one vector or two.
template<Columns kColumns = Columns::kDense>
HWY_INLINE Kernel kernel_for(int64_t rows, bool two) {
    using Rows = std::make_integer_sequence<int, kMaxRows>;
    static constexpr std::array<Kernel, kMaxRows> kOne = list_kernels<false, kColumns>(Rows{});
    static constexpr std::array<Kernel, kMaxRows> kTwo = list_kernels<true, kColumns>(Rows{});
    return (two ? kTwo : kOne)[size_t(rows - 1)];
}

/// Where a strip of columns lies in packed weights.
struct Strip {
    const float *b;
    int64_t second;
    int64_t column; ///< its first
    bool two;       ///< two vectors wide; one where the last columns fill no more
};

inline int64_t strips_of(int64_t columns) {
    return (columns + kStrip - 1) / kStrip;
}

inline Strip strip_at(const float *packed, int64_t columns, int64_t depth, int64_t number) {
    const int64_t column = number * kStrip;
    const int64_t panel = column / kPanel;
    return {packed + panel * depth * kPanel + column % kPanel,
            kStrip > kPanel ? depth * kPanel : kLanes, column, column + kLanes < columns};
}

/// Blocks of equal height rather than full ones and a low one, in which latency would show. Nothing
/// is divided for each of them: that takes as long as many products.
class RowBlocks {
public:
    explicit RowBlocks(int64_t rows)
        : count_((rows + kMaxRows - 1) / kMaxRows),
          least_(count_ == 0 ? 0 : rows / count_),
          higher_(rows - least_ * count_) {}

    int64_t count() const { return count_; }
    int64_t begin(int64_t block) const { return block * least_ + std::min(block, higher_); }

private:
    int64_t count_;
    int64_t least_;  ///< rows of each
    int64_t higher_; ///< that have one more
};

/// Lets each block that a strip is multiplied by fetch its share of the strip after this one, which
/// lies behind it in memory. Weights come once from afar, and processors do not fetch ahead beyond
/// a page.
class NextStrip {
public:
    NextStrip(int64_t depth, int64_t blocks)
        : floats_(depth * kWide),
          share_(floats_ / std::max<int64_t>(blocks, 1)),
          step_((kSteps * kWide + blocks - 1) / std::max<int64_t>(blocks, 1)) {}

    void fetch(Block &block, const Strip &strip, int64_t number) const {
        block.next = strip.b + floats_ + share_ * number;
        block.next_step = step_;
    }

private:
    static constexpr int64_t kWide = std::max(kStrip, kPanel);
    int64_t floats_;
    int64_t share_;
    int64_t step_;
};

/// What a block's results still need when they lie in the first-level cache.
struct Rest {
    const float *from;
    int64_t from_stride;
    float *to;
    int64_t to_stride;
    int64_t rows;
    int64_t columns;
    const float *bias;
    const float *residual;
    int64_t residual_stride;
};

// One row from column `begin`: as many vectors as fit, then narrower ones.
template<int kActivation, class D>
HWY_INLINE void finish_row(D d, const Rest &rest, int64_t row, int64_t begin) {
    constexpr int64_t lanes = int64_t(hn::MaxLanes(D()));
    const float *from = rest.from + row * rest.from_stride;
    float *to = rest.to + row * rest.to_stride;
    int64_t column = begin;
    for (; column + lanes <= rest.columns; column += lanes) {
        auto sum = hn::LoadU(d, from + column);
        if (rest.bias != nullptr)
            sum = hn::Add(sum, hn::LoadU(d, rest.bias + column));
        if (rest.residual != nullptr)
            sum = hn::Add(sum, hn::LoadU(d, rest.residual + row * rest.residual_stride + column));
        hn::StoreU(activate_known<kActivation>(d, sum), d, to + column);
    }
    if constexpr (lanes > 1) {
        if (column < rest.columns)
            finish_row<kActivation>(hn::CappedTag<float, (lanes > 4 ? 4 : 1)>(), rest, row, column);
    }
}

template<int kActivation>
void finish_rows(const Rest &rest) {
    for (int64_t row = 0; row < rest.rows; ++row)
        finish_row<kActivation>(FloatTag(), rest, row, 0);
}

/// Activates what was stored a moment ago: rows of a strip.
template<int kActivation>
void activate_rows(float *y, int64_t stride, int64_t rows, bool two) {
    const FloatTag d;
    for (int64_t row = 0; row < rows; ++row, y += stride) {
        hn::StoreU(activate_known<kActivation>(d, hn::LoadU(d, y)), d, y);
        if (two)
            hn::StoreU(activate_known<kActivation>(d, hn::LoadU(d, y + kLanes)), d, y + kLanes);
    }
}

using Activate = void (*)(float *y, int64_t stride, int64_t rows, bool two);

using Finish = void (*)(const Rest &);

template<int... kActivation>
Finish list_finishes(int activation, std::integer_sequence<int, kActivation...> /*kinds*/) {
    static constexpr Finish kAll[] = {&finish_rows<kActivation - 1>...};
    return kAll[activation + 1];
}

template<int... kActivation>
Activate list_activates(int activation, std::integer_sequence<int, kActivation...> /*kinds*/) {
    static constexpr Activate kAll[] = {&activate_rows<kActivation - 1>...};
    return kAll[activation + 1];
}

/// kNoActivation and all kinds.
using Activations = std::make_integer_sequence<int, int(op::ActivationKind::kExp) + 2>;

inline Finish finish_for(int activation) {
    return list_finishes(activation, Activations());
}

inline Activate activate_for(int activation) {
    return list_activates(activation, Activations());
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#endif
