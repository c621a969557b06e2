// SPDX-License-Identifier: LGPL-2.1-or-later
// The microkernel of all matrix products: a block of rows of A times a strip of two vectors of
// columns of B, with every sum in a register from the first product to the last. B lies in panels
// of kPanel columns, A is read in place. Above it, the tasks that a product is cut into.
//
// Included once for each of Highway's targets.
#if defined(TVW_CPU_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TVW_CPU_GEMM_INL_H
#undef TVW_CPU_GEMM_INL_H
#else
#define TVW_CPU_GEMM_INL_H
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

// Products for kSteps values of k. With counters that move once in a while, the multiplications are
// more than half of all instructions, which counts where two threads share a core.
template<int kSteps, int kRows, bool kTwo>
HWY_INLINE void advance(Sums<0, kRows, kTwo> &sums, Cursor &at) {
    const FloatTag d;
#pragma GCC unroll 8
    for (int step = 0; step < kSteps; ++step) {
        const FloatVector b0 = hn::Load(d, at.b + step * kPanel);
        const FloatVector b1 = kTwo ? hn::Load(d, at.b + step * kPanel + at.b_second) : b0;
        sums.add(at.base, at.index, step, b0, b1);
    }
    at.b += kSteps * kPanel;
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

/// Lets a block fetch its share of the strip after this one, which lies behind it in memory.
/// Weights come once from afar, and processors do not fetch ahead beyond a page.
inline void fetch_next(Block &block, const Strip &strip, int64_t number, int64_t blocks) {
    const int64_t floats = block.depth * std::max(kStrip, kPanel);
    block.next = strip.b + floats + floats * number / blocks;
    block.next_step = (kSteps * std::max(kStrip, kPanel) + blocks - 1) / blocks;
}

/// Blocks of equal height rather than full ones and a low one, in which latency would show.
struct RowBlocks {
    int64_t rows;
    int64_t count;
    explicit RowBlocks(int64_t all) : rows(all), count((all + kMaxRows - 1) / kMaxRows) {}
    int64_t begin(int64_t block) const { return rows * block / count; }
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

using Finish = void (*)(const Rest &);

template<int... kActivation>
Finish list_finishes(int activation, std::integer_sequence<int, kActivation...> /*kinds*/) {
    static constexpr Finish kAll[] = {&finish_rows<kActivation - 1>...};
    return kAll[activation + 1];
}

inline Finish finish_for(int activation) {
    constexpr int kKinds = int(op::ActivationKind::kExp) + 1;
    return list_finishes(activation, std::make_integer_sequence<int, kKinds + 1>{});
}

constexpr int64_t kFewRows = 3;
// Products of a task, which takes about a microsecond: enough to be worth fetching.
constexpr int64_t kLeastProducts = int64_t{48} * 1024;

/// Panels that are read side by side for so few rows that reading takes longer than multiplying:
/// processors fetch ahead in every page that is read in order, and more from several at once than
/// from one (prefetching by hand delivers less than either). As many sums as hide the latency of
/// an addition; with three rows, as many as fit the registers.
constexpr int panels_side_by_side(int rows) {
    constexpr int kVectors = int(kPanel / kLanes);
    const int sums = rows < 3 ? 8 : 12;
    return std::max(sums / (rows * kVectors), 1);
}

/// sums[row][0, kPanels · kPanel) = sum_k x[row][k] · b[k], for panels that follow one another.
template<int kRows, int kPanels>
void stream_panels(const Product &p, int64_t panel, float *sums) {
    constexpr int kVectors = int(kPanel / kLanes);
    constexpr int kAll = kPanels * kVectors;
    const FloatTag d;
    FloatVector totals[kRows * kAll];
#pragma GCC unroll 16
    for (int i = 0; i < kRows * kAll; ++i)
        totals[i] = hn::Zero(d);
    const float *b = p.packed + panel * p.in * kPanel;
    for (int64_t k = 0; k < p.in; ++k, b += kPanel) {
        FloatVector x[kRows];
#pragma GCC unroll 4
        for (int row = 0; row < kRows; ++row)
            x[row] = hn::Set(d, p.x[row * p.x_stride + k]);
#pragma GCC unroll 16
        for (int i = 0; i < kAll; ++i) {
            const FloatVector weights =
                hn::Load(d, b + i / kVectors * p.in * kPanel + i % kVectors * kLanes);
#pragma GCC unroll 4
            for (int row = 0; row < kRows; ++row)
                totals[row * kAll + i] = hn::MulAdd(x[row], weights, totals[row * kAll + i]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows * kAll; ++i)
        hn::Store(totals[i], d, sums + i * kLanes);
}

/// Products of few rows, some panels at a time.
template<int kRows>
void stream_groups(const Product &p, int64_t begin, int64_t end) {
    constexpr int kPanels = panels_side_by_side(kRows);
    const Finish finish = finish_for(activation_number(p.epilogue.activation));
    HWY_ALIGN float sums[int64_t{kRows} * kPanels * kPanel];
    const auto columns = [&](int64_t panel, int panels) {
        const int64_t first = panel * kPanel;
        const auto at = [first](const float *values) { return values ? values + first : nullptr; };
        finish({sums, panels * kPanel, p.y + first, p.y_stride, kRows,
                std::min(p.out - first, panels * kPanel), at(p.epilogue.bias),
                at(p.epilogue.residual), p.epilogue.residual_pixel});
    };
    const int64_t last = std::min(end * kPanels, panels_of(p.out));
    int64_t panel = begin * kPanels;
    for (; panel + kPanels <= last; panel += kPanels) {
        stream_panels<kRows, kPanels>(p, panel, sums);
        columns(panel, kPanels);
    }
    for (; panel < last; ++panel) {
        stream_panels<kRows, 1>(p, panel, sums);
        columns(panel, 1);
    }
}

/// Multiplies blocks of rows by strips, and gives each what the microkernel cannot do.
template<Columns kColumns>
class Multiplier {
public:
    explicit Multiplier(const Product &product)
        : p_(product),
          finish_(finish_for(activation_number(product.epilogue.activation))),
          in_registers_(fits_registers(activation_number(product.epilogue.activation))) {}

    /// Block `number` of `blocks` that the strip is multiplied by.
    void run(const RowBlocks &blocks, int64_t number, int64_t first, const Strip &strip) const {
        const int64_t begin = first + blocks.begin(number);
        const int64_t rows = blocks.begin(number + 1) - blocks.begin(number);
        const int64_t columns = std::min(p_.out - strip.column, strip.two ? kStrip : kLanes);
        const Kernel kernel = kernel_for<kColumns>(rows, strip.two);
        if (columns == (strip.two ? kStrip : kLanes))
            whole(kernel, begin, rows, strip, columns, number, blocks.count);
        else
            part(kernel, begin, rows, strip, columns, number, blocks.count);
    }

private:
    const float *bias_at(int64_t column) const {
        return p_.epilogue.bias == nullptr ? nullptr : p_.epilogue.bias + column;
    }
    const float *residual_at(int64_t row, int64_t column) const {
        return p_.epilogue.residual == nullptr
                   ? nullptr
                   : p_.epilogue.residual + row * p_.epilogue.residual_pixel + column;
    }

    Block block_at(int64_t row, const Strip &strip, float *c, int64_t c_stride) const {
        Block block{p_.x + row * p_.x_stride,
                    p_.x_stride,
                    strip.b,
                    strip.second,
                    p_.in,
                    c,
                    c_stride,
                    nullptr,
                    nullptr,
                    p_.epilogue.residual_pixel,
                    kNoActivation};
        block.columns = p_.columns;
        return block;
    }

    // Weights that all rows have in common soon are near.
    static void prepare_next(Block &block, const Strip &strip, int64_t number, int64_t blocks) {
        if constexpr (kColumns == Columns::kDense)
            fetch_next(block, strip, number, blocks);
        else
            block.next = strip.b;
    }

    void whole(Kernel kernel, int64_t row, int64_t rows, const Strip &strip, int64_t columns,
               int64_t number, int64_t blocks) const {
        float *y = p_.y + row * p_.y_stride + strip.column;
        Block block = block_at(row, strip, y, p_.y_stride);
        block.bias = bias_at(strip.column);
        block.residual = residual_at(row, strip.column);
        if (in_registers_)
            block.activation = activation_number(p_.epilogue.activation);
        prepare_next(block, strip, number, blocks);
        kernel(block);
        if (!in_registers_)
            finish_({y, p_.y_stride, y, p_.y_stride, rows, columns, nullptr, nullptr, 0});
    }

    // The last columns are fewer than the microkernel stores.
    void part(Kernel kernel, int64_t row, int64_t rows, const Strip &strip, int64_t columns,
              int64_t number, int64_t blocks) const {
        HWY_ALIGN float sums[kMaxRows * kStrip];
        Block block = block_at(row, strip, sums, kStrip);
        prepare_next(block, strip, number, blocks);
        kernel(block);
        finish_({sums, kStrip, p_.y + row * p_.y_stride + strip.column, p_.y_stride, rows, columns,
                 bias_at(strip.column), residual_at(row, strip.column),
                 p_.epilogue.residual_pixel});
    }

    const Product &p_;
    Finish finish_;
    bool in_registers_;
};

/// A product cut into what threads take: a strip of columns for some blocks of a chunk of rows, or
/// for few rows some panels. A chunk stays in the second-level cache while one strip after the
/// other passes by.
template<Columns kColumns = Columns::kDense>
class Tasks {
public:
    explicit Tasks(const Product &p)
        : p_(p), strips_(strips_of(p.out)), chunks_((p.rows + most_rows(p) - 1) / most_rows(p)) {
        const int64_t blocks = RowBlocks((p.rows + chunks_ - 1) / chunks_).count;
        const int64_t least = std::max<int64_t>(kLeastProducts / (kMaxRows * kStrip * p.in), 1);
        slabs_ = (blocks + least - 1) / least;
        by_rows_ = p.in * p.out <= kHalfCacheFloats && p.rows * (p.in + p.out) > 2 * p.in * p.out;
    }

    int64_t count() const {
        if (few()) {
            const int panels = panels_side_by_side(int(p_.rows));
            return (panels_of(p_.out) + panels - 1) / panels;
        }
        return by_rows_ ? RowBlocks(p_.rows).count : chunks_ * strips_ * slabs_;
    }

    void run(int64_t begin, int64_t end) const {
        if (!few())
            return by_rows_ ? multiply_rows(begin, end) : multiply_strips(begin, end);
        if (p_.rows == 1)
            return stream_groups<1>(p_, begin, end);
        return p_.rows == 2 ? stream_groups<2>(p_, begin, end) : stream_groups<3>(p_, begin, end);
    }

    static int64_t most_rows(const Product &p) {
        return std::max(kHalfCacheFloats / p.in, int64_t{8} * kMaxRows);
    }

private:
    bool few() const { return kColumns == Columns::kDense && p_.rows <= kFewRows; }

    void multiply_rows(int64_t begin, int64_t end) const {
        const Multiplier<kColumns> multiplier(p_);
        const RowBlocks all(p_.rows);
        const int64_t most = most_rows(p_) / kMaxRows;
        for (int64_t next = 0; begin < end; begin = next) {
            next = std::min(begin + most, end);
            const int64_t first = all.begin(begin);
            const RowBlocks blocks(all.begin(next) - first);
            for (int64_t number = 0; number < strips_; ++number) {
                const Strip strip = strip_at(p_.packed, p_.out, p_.in, number);
                for (int64_t block = 0; block < blocks.count; ++block)
                    multiplier.run(blocks, block, first, strip);
            }
        }
    }

    void multiply_strips(int64_t begin, int64_t end) const {
        const Multiplier<kColumns> multiplier(p_);
        while (begin < end) {
            const int64_t whole = begin / slabs_; // strips of chunks before
            const int64_t slab = begin % slabs_;
            const int64_t slab_end = std::min(slab + end - begin, slabs_);
            const int64_t chunk = whole / strips_;
            const Strip strip = strip_at(p_.packed, p_.out, p_.in, whole % strips_);
            const int64_t first = p_.rows * chunk / chunks_;
            const RowBlocks blocks(p_.rows * (chunk + 1) / chunks_ - first);
            const int64_t last = blocks.count * slab_end / slabs_;
            for (int64_t block = blocks.count * slab / slabs_; block < last; ++block)
                multiplier.run(blocks, block, first, strip);
            begin += slab_end - slab;
        }
    }

    const Product &p_;
    int64_t strips_;
    int64_t chunks_;
    int64_t slabs_; ///< of a chunk's blocks
    /// Whether a part is some rows with all columns, so that threads keep to their part of an
    /// image: where all weights stay in the second-level cache and are less than the image.
    bool by_rows_;
};

/// The whole product, by this thread.
template<Columns kColumns>
void multiply_alone(const Product &product) {
    const Tasks<kColumns> tasks(product);
    tasks.run(0, tasks.count());
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#endif
