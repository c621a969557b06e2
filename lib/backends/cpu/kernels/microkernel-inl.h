// SPDX-License-Identifier: LGPL-2.1-or-later
// The microkernel of all matrix products: a block of rows of A times a strip of some vectors of
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

/// The vectors of columns in a strip, and the rows of a block that is multiplied by so many: all
/// sums must fit the registers, with the factors of the shorter side and one of the other.
///
/// Low and wide blocks need the fewest instructions beside the multiplications, which counts where
/// two threads share a core, and read A less often. High ones need fewer columns of B in the
/// nearest cache.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
inline constexpr int kMostVectors = 4;
constexpr int block_rows(int vectors) {
    constexpr int kSums = HWY_TARGET == HWY_AVX3 ? 24 : 12; // of 32 registers, or of 16
    return std::min(kSums / vectors, kSums / 2);
}
#else
inline constexpr int kMostVectors = 2;
constexpr int block_rows(int /*vectors*/) {
    return HWY_ARCH_ARM_A64 ? 12 : 5; // of 32 registers, or of 16 where products need one more
}
#endif
inline constexpr int kMaxRows = block_rows(1);
inline constexpr int64_t kStrip = kMostVectors * kLanes;

/// Whether vectors are read and written in part at no cost, so that the last one need not be whole.
inline constexpr bool kMasksLanes = HWY_TARGET == HWY_AVX3;

/// Values of k in one turn of the microkernel's loop.
inline constexpr int kTurn = 4;

/// One call of the microkernel, blocks of equal height that follow one another: c[row][0, strip) =
/// activation(sum_k a[row][k] · b[k] + bias + residual[row]), and c itself before where `adds`.
struct Blocks {
    int64_t count;
    const float *a;
    int64_t a_stride;
    const float *b; ///< the strip's first vector for k = 0; kPanel floats on lies that for k = 1
    int64_t panel;  ///< floats to that of the next panel
    int64_t depth;  ///< k < depth
    bool adds;
    float *c; ///< any alignment
    int64_t c_stride;
    int64_t c_panel = kPanel; ///< floats to the results of the next panel
    const float *bias;        ///< null for none
    const float *residual;    ///< null for none
    int64_t residual_stride;
    int activation;         ///< kNoActivation, or one of those that `fits_registers`
    const float *next;      ///< what is multiplied later: fetched meanwhile, as much of each panel
    int64_t next_share;     ///< floats of a panel for each block
    int64_t next_step;      ///< and for each turn of its loop
    const int64_t *columns; ///< [depth], see Columns
    int64_t last = kLanes;  ///< columns of the strip's last vector; all, unless kMasksLanes

    /// The first block is done, which had so many rows.
    HWY_INLINE void pass(int rows) {
        a += rows * a_stride;
        c += rows * c_stride;
        next += next_share;
        if (residual != nullptr)
            residual += rows * residual_stride;
    }
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

/// From a row, of this number, to the next. Compilers would rather keep all multiples of a stride,
/// more than there are registers for, and read them back from memory in every block; instructions
/// reach two rows on.
template<typename T>
HWY_INLINE void next_row(T *&row, int64_t stride, int number) {
    row += stride;
    if (number % 3 == 2)
        asm("" : "+r"(row)); // It may have changed, for all that the compiler knows.
}

/// How the vectors of a row are read and written, whose panels are so many floats apart.
template<int kVectors>
class RowAccess {
public:
    explicit RowAccess(const Blocks &block, int64_t panel = kPanel)
        : last_(hn::FirstN(FloatTag(), size_t(block.last))), panel_(panel) {}

    HWY_INLINE FloatVector load(const float *row, int vector) const {
        if constexpr (kMasksLanes)
            if (vector == kVectors - 1)
                return hn::MaskedLoad(last_, FloatTag(), row + offset(vector));
        return hn::LoadU(FloatTag(), row + offset(vector));
    }
    HWY_INLINE void store(FloatVector values, float *row, int vector) const {
        if constexpr (kMasksLanes)
            if (vector == kVectors - 1)
                return hn::BlendedStore(values, last_, FloatTag(), row + offset(vector));
        hn::StoreU(values, FloatTag(), row + offset(vector));
    }

private:
    HWY_INLINE int64_t offset(int vector) const {
        return vector * kLanes / kPanel * panel_ + vector * kLanes % kPanel;
    }

    hn::Mask<FloatTag> last_;
    int64_t panel_;
};

// All loops below are unrolled, or compilers would keep the sums in memory.
template<int kRows, int kVectors>
using Sums = FloatVector[kRows][kVectors];

template<int kRows, int kVectors>
HWY_INLINE void add_rows(Sums<kRows, kVectors> &sums, const RowAccess<kVectors> &access,
                         const float *rows, int64_t stride) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row, next_row(rows, stride, row)) {
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v)
            sums[row][v] = hn::Add(sums[row][v], access.load(rows, v));
    }
}

template<int kRows, int kVectors>
HWY_INLINE void start(Sums<kRows, kVectors> &sums, const Blocks &block) {
    const RowAccess<kVectors> access(block);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
        const FloatVector value =
            block.bias == nullptr ? hn::Zero(FloatTag()) : access.load(block.bias, v);
#pragma GCC unroll 16
        for (int row = 0; row < kRows; ++row)
            sums[row][v] = value;
    }
    if (block.adds)
        add_rows<kRows, kVectors>(sums, RowAccess<kVectors>(block, block.c_panel), block.c,
                                  block.c_stride);
}

template<int kActivation, int kRows, int kVectors>
HWY_INLINE void store(const Sums<kRows, kVectors> &sums, const RowAccess<kVectors> &access,
                      float *c, int64_t stride) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row, next_row(c, stride, row)) {
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v)
            access.store(activate_known<kActivation>(FloatTag(), sums[row][v]), c, v);
    }
}

template<int kRows, int kVectors>
HWY_INLINE void finish(Sums<kRows, kVectors> &sums, const Blocks &block) {
    if (block.residual != nullptr)
        add_rows<kRows, kVectors>(sums, RowAccess<kVectors>(block), block.residual,
                                  block.residual_stride);
    const RowAccess<kVectors> access(block, block.c_panel);
    const auto store_as = [&]<int kActivation>() {
        store<kActivation, kRows, kVectors>(sums, access, block.c, block.c_stride);
    };
    switch (block.activation) {
    case int(op::ActivationKind::kRelu):
        return store_as.template operator()<int(op::ActivationKind::kRelu)>();
    case int(op::ActivationKind::kRelu6):
        return store_as.template operator()<int(op::ActivationKind::kRelu6)>();
    case int(op::ActivationKind::kHardswish):
        return store_as.template operator()<int(op::ActivationKind::kHardswish)>();
    default:
        return store_as.template operator()<kNoActivation>();
    }
}

/// Where sums will be stored, and what is added to them, are seldom near. Fetching them takes as
/// long as some products, and shallow ones end before it does.
inline constexpr int64_t kLeastDepthToFetch = 64;

template<int kRows, int kVectors>
HWY_INLINE void fetch_results(const Blocks &block) {
    constexpr int64_t kPanels = panels_of(kVectors * kLanes); // a cache line of each row
    const float *c = block.c;
    for (int row = 0; row < kRows; ++row, next_row(c, block.c_stride, row))
        for (int64_t i = 0; i < kPanels; ++i)
            __builtin_prefetch(c + i * block.c_panel, 1);
    if (block.residual == nullptr)
        return;
    const float *residual = block.residual;
    for (int row = 0; row < kRows; ++row, next_row(residual, block.residual_stride, row))
        for (int64_t i = 0; i < kPanels; ++i)
            __builtin_prefetch(residual + i * kPanel);
}

/// Where the microkernel reads: it moves along k. Row i is at base[i / 3] + index[i % 3]: few
/// registers that count.
struct Cursor {
    static constexpr int64_t kPanels = (kStrip + kPanel - 1) / kPanel; ///< of a strip

    const float *base[(kMaxRows + 2) / 3];
    int64_t index[3];
    const float *b[kPanels];
    const float *next;

    explicit Cursor(const Blocks &block)
        : index{0, block.a_stride, 2 * block.a_stride}, next(block.next) {
        for (int i = 0; i < (kMaxRows + 2) / 3; ++i)
            base[i] = block.a + int64_t{3} * i * block.a_stride;
        for (int64_t i = 0; i < kPanels; ++i)
            b[i] = block.b + i * block.panel;
    }

    HWY_INLINE FloatVector factor(int row, int step) const {
        return hn::Set(FloatTag(), base[row / 3][index[row % 3] + step]);
    }
    HWY_INLINE FloatVector weights(int vector, int step) const {
        const int64_t column = vector * kLanes;
        return hn::Load(FloatTag(), b[column / kPanel] + step * kPanel + column % kPanel);
    }
    HWY_INLINE void move(int64_t steps) {
        for (int64_t &i : index)
            i += steps;
        for (const float *&panel : b)
            panel += steps * kPanel;
    }
};

/// sum += x · b. Where all registers are in use, compilers would copy sums to and fro, and read
/// factors from memory more than once.
HWY_INLINE void add_product(FloatVector &sum, FloatVector x, FloatVector b) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "v"(b.raw));
#else
    sum = hn::MulAdd(x, b, sum);
#endif
}

// Products for kSteps values of k. The factors of the shorter side stay in registers meanwhile, and
// those of the other pass by one at a time, so the two orders differ in more than names.
template<int kSteps, int kRows, int kVectors>
HWY_INLINE void advance(Sums<kRows, kVectors> &sums, const Cursor &at) {
#pragma GCC unroll 16
    for (int step = 0; step < kSteps; ++step) {
        if constexpr (kRows < kVectors) {
            FloatVector x[kRows];
#pragma GCC unroll 16
            for (int row = 0; row < kRows; ++row)
                x[row] = at.factor(row, step);
#pragma GCC unroll 16
            for (int v = 0; v < kVectors; ++v) {
                const FloatVector b = at.weights(v, step);
#pragma GCC unroll 16
                for (int row = 0; row < kRows; ++row)
                    add_product(sums[row][v], x[row], b);
            }
        } else {
            FloatVector b[kVectors];
#pragma GCC unroll 16
            for (int v = 0; v < kVectors; ++v)
                b[v] = at.weights(v, step);
#pragma GCC unroll 16
            for (int row = 0; row < kRows; ++row) {
                const FloatVector x = at.factor(row, step);
#pragma GCC unroll 16
                for (int v = 0; v < kVectors; ++v)
                    add_product(sums[row][v], x, b[v]);
            }
        }
    }
}

template<int kRows, int kVectors, Columns kColumns>
HWY_INLINE void multiply_block(const Blocks &block) {
    Sums<kRows, kVectors> sums;
    start<kRows, kVectors>(sums, block);
    if (block.depth >= kLeastDepthToFetch)
        fetch_results<kRows, kVectors>(block);

    Cursor at(block);
    int64_t k = 0;
    if constexpr (kColumns == Columns::kScattered) {
        for (; k < block.depth; ++k) {
            at.index[0] = block.columns[k];
            at.index[1] = at.index[0] + block.a_stride;
            at.index[2] = at.index[1] + block.a_stride;
            advance<1, kRows, kVectors>(sums, at);
            at.move(1);
        }
    } else {
        for (; k + kTurn <= block.depth; k += kTurn) {
            for (int64_t i = 0; i < panels_of(kVectors * kLanes); ++i)
                __builtin_prefetch(at.next + i * block.panel, 0, 2); // to the second-level cache
            at.next += block.next_step;
            advance<kTurn, kRows, kVectors>(sums, at);
            at.move(kTurn);
        }
        for (; k < block.depth; ++k) {
            advance<1, kRows, kVectors>(sums, at);
            at.move(1);
        }
    }
    finish<kRows, kVectors>(sums, block);
}

template<int kRows, int kVectors, Columns kColumns>
void multiply_blocks(const Blocks &blocks) {
    Blocks rest = blocks;
    for (; rest.count > 0; --rest.count) {
        multiply_block<kRows, kVectors, kColumns>(rest);
        rest.pass(kRows);
    }
}

using Kernel = void (*)(const Blocks &);

template<Columns kColumns, int kVectors, int... kRows>
constexpr std::array<Kernel, kMaxRows>
list_kernels(std::integer_sequence<int, kRows...> /*less one*/) {
    constexpr int kMost = block_rows(kVectors);
    return {&multiply_blocks<(kRows < kMost ? kRows + 1 : kMost), kVectors, kColumns>...};
}

template<Columns kColumns, int... kVectors>
constexpr std::array<std::array<Kernel, kMaxRows>, kMostVectors>
list_all_kernels(std::integer_sequence<int, kVectors...> /*less one*/) {
    return {list_kernels<kColumns, kVectors + 1>(std::make_integer_sequence<int, kMaxRows>())...};
}

/// The microkernel for 1 ≤ rows ≤ block_rows(vectors).
template<Columns kColumns = Columns::kDense>
HWY_INLINE Kernel kernel_for(int64_t rows, int vectors) {
    static constexpr auto kAll =
        list_all_kernels<kColumns>(std::make_integer_sequence<int, kMostVectors>());
    return kAll[size_t(vectors - 1)][size_t(rows - 1)];
}

/// Where a strip of columns lies in packed weights.
struct Strip {
    const float *b;
    int64_t column; ///< its first
    int vectors;    ///< kMostVectors at most

    int64_t width() const { return vectors * kLanes; }
    int64_t panels() const { return panels_of(width()); }
};

inline int64_t strips_of(int64_t columns) {
    return (columns + kStrip - 1) / kStrip;
}

/// Rows cut into blocks, or panels into strips, whose sizes differ by one at most, rather than full
/// ones and a rest, in which latency would show and which would read the other side for little.
/// Nothing is divided for each of them: that takes as long as many products.
class EqualParts {
public:
    EqualParts(int64_t whole, int64_t most)
        : count_((whole + most - 1) / most),
          least_(count_ == 0 ? 0 : whole / count_),
          larger_(whole - least_ * count_) {}

    int64_t count() const { return count_; }
    int64_t begin(int64_t part) const { return part * least_ + std::min(part, larger_); }
    int64_t size(int64_t part) const { return least_ + (part < larger_ ? 1 : 0); }
    /// The first part behind this one that is not as large.
    int64_t end_of_equal(int64_t part) const { return part < larger_ ? larger_ : count_; }

private:
    int64_t count_;
    int64_t least_;  ///< in each
    int64_t larger_; ///< parts that have one more
};

inline Strip strip_at(const float *packed, int64_t columns, int64_t depth, int64_t number) {
    constexpr int64_t kUnit = std::min(kPanel, kStrip);
    const EqualParts units((columns + kUnit - 1) / kUnit, kStrip / kUnit);
    const int64_t column = units.begin(number) * kUnit;
    const int64_t end = units.begin(number + 1) * kUnit;
    return {packed + column / kPanel * depth * kPanel + column % kPanel, column,
            int((std::min(columns, end) - column + kLanes - 1) / kLanes)};
}

/// Lets each block that a strip is multiplied by fetch its share of what is multiplied next.
/// Weights come once from afar, and processors do not fetch ahead beyond a page.
class NextWeights {
public:
    /// next: the first panel of it, depth · kPanel floats.
    NextWeights(const float *next, int64_t depth, int64_t blocks)
        : next_(next),
          share_(depth * kPanel / std::max<int64_t>(blocks, 1)),
          step_((kTurn * kPanel + blocks - 1) / std::max<int64_t>(blocks, 1)) {}

    /// first: the number of the first of these blocks.
    void fetch(Blocks &blocks, int64_t first) const {
        blocks.next = next_ + share_ * first;
        blocks.next_share = share_;
        blocks.next_step = step_;
    }

private:
    const float *next_;
    int64_t share_; ///< floats of a block
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
void activate_rows(float *y, int64_t stride, int64_t panel, int64_t rows, int vectors) {
    const FloatTag d;
    for (int64_t row = 0; row < rows; ++row, y += stride) {
        for (int64_t i = 0; i < vectors * kLanes; i += kLanes) {
            float *at = y + i / kPanel * panel + i % kPanel;
            hn::StoreU(activate_known<kActivation>(d, hn::LoadU(d, at)), d, at);
        }
    }
}

using Finish = void (*)(const Rest &);
using Activate = void (*)(float *y, int64_t stride, int64_t panel, int64_t rows, int vectors);

/// What is done to stored sums, for one kind of activation.
struct Afterwards {
    Finish finish;
    Activate activate;
};

template<int... kActivation>
Afterwards list_afterwards(int activation, std::integer_sequence<int, kActivation...> /*kinds*/) {
    static constexpr Afterwards kAll[] = {
        {&finish_rows<kActivation - 1>, &activate_rows<kActivation - 1>}...};
    return kAll[activation + 1];
}

inline Afterwards afterwards_for(int activation) {
    constexpr int kKinds = int(op::ActivationKind::kExp) + 1;
    return list_afterwards(activation, std::make_integer_sequence<int, kKinds + 1>());
}

inline Finish finish_for(int activation) {
    return afterwards_for(activation).finish;
}

inline Activate activate_for(int activation) {
    return afterwards_for(activation).activate;
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#endif
