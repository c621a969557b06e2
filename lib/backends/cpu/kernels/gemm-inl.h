// SPDX-License-Identifier: LGPL-2.1-or-later
// The tasks that a matrix product is cut into.
//
// Included once for each of Highway's targets.
#if defined(TVW_CPU_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TVW_CPU_GEMM_INL_H
#undef TVW_CPU_GEMM_INL_H
#else
#define TVW_CPU_GEMM_INL_H
#endif

#include "backends/cpu/kernels/microkernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

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

/// So much of a strip's depth stays in the second-level cache while blocks pass by. Deeper strips
/// are multiplied in parts, and sums between two parts lie where the results will.
constexpr int64_t kMostDepth = 1024;
constexpr int64_t kTogether = 4;  ///< blocks whose results wait in the nearest cache for the rest
constexpr int64_t kDepthStep = 8; ///< of what parts hold, so that the microkernel has whole turns

/// Multiplies some rows by a strip, block by block, and gives each what the microkernel cannot do.
template<Columns kColumns>
class Multiplier {
public:
    Multiplier(const Product &product, int64_t first_row, int64_t rows, const Strip &strip)
        : p_(product),
          first_row_(first_row),
          strip_(strip),
          blocks_(rows, block_rows(strip.vectors)),
          activation_(activation_number(product.epilogue.activation)),
          last_(std::min(product.out - strip.column - strip.width(), int64_t{0}) + kLanes),
          whole_(last_ == kLanes || (kMasksLanes && fits_registers(activation_))),
          parts_(whole_ && kColumns == Columns::kDense ? (p_.in + kMostDepth - 1) / kMostDepth : 1),
          together_(whole_ && fits_registers(activation_) ? rows : kTogether) {}

    int64_t blocks() const { return blocks_.count(); }

    void run(int64_t begin, int64_t end) const {
        for (int64_t part = 0; part < parts_; ++part)
            run_part(begin, end, part);
    }

private:
    /// Where a part of the depth begins.
    int64_t depth_at(int64_t part) const { return p_.in * part / parts_ / kDepthStep * kDepthStep; }

    void run_part(int64_t begin, int64_t end, int64_t part) const {
        const bool last = part + 1 == parts_;
        const int64_t k = depth_at(part);
        const int64_t k_end = last ? p_.in : depth_at(part + 1);
        const float *next = strip_.b + (last ? strip_.panels() * p_.in : k_end) * kPanel;
        const NextWeights weights(next, k_end - k, blocks_.count());
        for (int64_t number = begin, after = 0; number < end; number = after) {
            after = std::min({number + together_, end, blocks_.end_of_equal(number)});
            const int64_t row = first_row_ + blocks_.begin(number);
            Blocks blocks{};
            blocks.count = after - number;
            blocks.a = p_.x + row * p_.x_stride + k;
            blocks.a_stride = p_.x_stride;
            blocks.b = strip_.b + k * kPanel;
            blocks.panel = p_.in * kPanel;
            blocks.depth = k_end - k;
            blocks.adds = part > 0;
            blocks.columns = p_.columns;
            blocks.activation = kNoActivation;
            weights.fetch(blocks, number);
            run_blocks(blocks, row, blocks_.size(number), part);
        }
    }

    const float *bias_at(int64_t column) const {
        return p_.epilogue.bias == nullptr ? nullptr : p_.epilogue.bias + column;
    }
    const float *residual_at(int64_t row, int64_t column) const {
        return p_.epilogue.residual == nullptr
                   ? nullptr
                   : p_.epilogue.residual + row * p_.epilogue.residual_pixel + column;
    }

    float *result_at(int64_t row) const {
        return p_.y + row * p_.y_stride + strip_.column / kPanel * p_.y_panel +
               strip_.column % kPanel;
    }

    /// rows: of each block.
    void run_blocks(Blocks &blocks, int64_t row, int64_t rows, int64_t part) const {
        if (!whole_)
            return run_narrow(blocks, row, rows);
        blocks.last = last_;
        blocks.c = result_at(row);
        blocks.c_stride = p_.y_stride;
        blocks.c_panel = p_.y_panel;
        if (part == 0) { // before results are stored where the residual may lie
            blocks.bias = bias_at(strip_.column);
            blocks.residual = residual_at(row, strip_.column);
            blocks.residual_stride = p_.epilogue.residual_pixel;
        }
        const bool last = part + 1 == parts_;
        if (last && fits_registers(activation_))
            blocks.activation = activation_;
        kernel_for<kColumns>(rows, strip_.vectors)(blocks);
        if (last && !fits_registers(activation_))
            activate_for(activation_)(blocks.c, blocks.c_stride, blocks.c_panel,
                                      rows * blocks.count, strip_.vectors);
    }

    // The last columns are fewer than the microkernel stores.
    void run_narrow(Blocks &blocks, int64_t row, int64_t rows) const {
        HWY_ALIGN float sums[kTogether * kMaxRows * kStrip];
        blocks.c = sums;
        blocks.c_stride = kStrip;
        kernel_for<kColumns>(rows, strip_.vectors)(blocks);
        finish_for(activation_)({sums, kStrip, result_at(row), p_.y_stride, rows * blocks.count,
                                 p_.out - strip_.column, bias_at(strip_.column),
                                 residual_at(row, strip_.column), p_.epilogue.residual_pixel});
    }

    const Product &p_;
    int64_t first_row_;
    Strip strip_;
    EqualParts blocks_;
    int activation_;
    int64_t last_;     ///< columns of the strip's last vector
    bool whole_;       ///< the microkernel stores no more than those
    int64_t parts_;    ///< of its depth
    int64_t together_; ///< blocks that one call of the microkernel multiplies at most
};

/// A product cut into what threads take: a strip of columns for some blocks of a chunk of rows, or
/// for few rows some panels. A chunk stays in the second-level cache while one strip after the
/// other passes by.
template<Columns kColumns = Columns::kDense>
class Tasks {
public:
    explicit Tasks(const Product &p)
        : p_(p), strips_(strips_of(p.out)), chunks_((p.rows + most_rows(p) - 1) / most_rows(p)) {
        const int64_t blocks = EqualParts((p.rows + chunks_ - 1) / chunks_, kMaxRows).count();
        const int64_t least = std::max<int64_t>(kLeastProducts / (kMaxRows * kStrip * p.in), 1);
        slabs_ = (blocks + least - 1) / least;
        by_rows_ = p.in * p.out <= kHalfCacheFloats && p.rows * (p.in + p.out) > 2 * p.in * p.out;
    }

    int64_t count() const {
        if (few()) {
            const int panels = panels_side_by_side(int(p_.rows));
            return (panels_of(p_.out) + panels - 1) / panels;
        }
        return by_rows_ ? EqualParts(p_.rows, kMaxRows).count() : chunks_ * strips_ * slabs_;
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
    bool few() const {
        return kColumns == Columns::kDense && p_.rows <= kFewRows && p_.y_panel == kPanel;
    }

    Strip strip(int64_t number) const { return strip_at(p_.packed, p_.out, p_.in, number); }

    void multiply_rows(int64_t begin, int64_t end) const {
        const EqualParts all(p_.rows, kMaxRows);
        const int64_t most = most_rows(p_) / kMaxRows;
        for (int64_t next = 0; begin < end; begin = next) {
            next = std::min(begin + most, end);
            const int64_t first = all.begin(begin);
            for (int64_t number = 0; number < strips_; ++number) {
                const Multiplier<kColumns> multiplier(p_, first, all.begin(next) - first,
                                                      strip(number));
                multiplier.run(0, multiplier.blocks());
            }
        }
    }

    void multiply_strips(int64_t begin, int64_t end) const {
        while (begin < end) {
            const int64_t whole = begin / slabs_; // strips of chunks before
            const int64_t slab = begin % slabs_;
            const int64_t slab_end = std::min(slab + end - begin, slabs_);
            const int64_t chunk = whole / strips_;
            const int64_t first = p_.rows * chunk / chunks_;
            const Multiplier<kColumns> multiplier(
                p_, first, p_.rows * (chunk + 1) / chunks_ - first, strip(whole % strips_));
            multiplier.run(multiplier.blocks() * slab / slabs_,
                           multiplier.blocks() * slab_end / slabs_);
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
