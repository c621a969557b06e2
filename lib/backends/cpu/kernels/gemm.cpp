// SPDX-License-Identifier: LGPL-2.1-or-later
// Packed matrix products. Panels of weights stay in the first-level cache while the rows of a chunk
// pass by; bias, residual and activation are applied before results leave the registers or that
// cache. Up to three rows are bound by reading the weights, which then are streamed.
#include "backends/cpu/kernels/simd.h"

#include "backends/cpu/kernels/gemm.h"

#include "backends/cpu/parallel.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/gemm.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

// Rows · depth that a thread passes by each panel: half of a small second-level cache.
constexpr int64_t kChunkFloats = 64 * 1024;
constexpr int64_t kFewRows = 3;

// Few rows: sums for kUnroll values of k, since one alone would wait for its own last addition.
template<int kRows, bool kTwo>
void stream_block(const Block &block) {
    constexpr int64_t kUnroll = kRows == 1 ? 4 : 2;
    constexpr int64_t kAhead = 32 * kPanel; // 2 KiB: about what memory delivers while it answers
    const FloatTag d;
    Sums<0, kRows, kTwo> sums[kUnroll];
    start(sums[0], block.bias);
    for (int i = 1; i < kUnroll; ++i)
        start(sums[i], nullptr);

    const float *base[1] = {block.a};
    const float *b = block.b;
    const int64_t second = block.b_second;
    int64_t k = 0;
    const auto step = [&](Sums<0, kRows, kTwo> &some) HWY_ATTR {
        const int64_t index[3] = {k, k + block.a_stride, k + 2 * block.a_stride};
        hwy::Prefetch(b + kAhead);
        if constexpr (kStrip > kPanel)
            hwy::Prefetch(b + second + kAhead);
        const FloatVector b0 = hn::Load(d, b);
        const FloatVector b1 = kTwo ? hn::Load(d, b + second) : b0;
        some.add(base, index, b0, b1);
        b += kPanel;
        ++k;
    };
    while (k + kUnroll <= block.depth) {
        step(sums[0]);
        step(sums[1]);
        if constexpr (kUnroll == 4) {
            step(sums[2]);
            step(sums[3]);
        }
    }
    while (k < block.depth)
        step(sums[0]);
    for (int i = 1; i < kUnroll; ++i)
        sums[0].add(sums[i]);
    finish(sums[0], block);
}

inline Kernel stream_kernel_for(int64_t rows, bool two) {
    static constexpr Kernel kAll[2][kFewRows] = {
        {&stream_block<1, false>, &stream_block<2, false>, &stream_block<3, false>},
        {&stream_block<1, true>, &stream_block<2, true>, &stream_block<3, true>}};
    return kAll[two][rows - 1];
}

/// Multiplies blocks of rows by strips, and gives each what the microkernel cannot do.
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
        const bool few = p_.rows <= kFewRows;
        const Kernel kernel =
            few ? stream_kernel_for(rows, strip.two) : kernel_for(rows, strip.two);
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
        return {p_.x + row * p_.x_stride,
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
    }

    void whole(Kernel kernel, int64_t row, int64_t rows, const Strip &strip, int64_t columns,
               int64_t number, int64_t blocks) const {
        float *y = p_.y + row * p_.y_stride + strip.column;
        Block block = block_at(row, strip, y, p_.y_stride);
        block.bias = bias_at(strip.column);
        block.residual = residual_at(row, strip.column);
        if (in_registers_)
            block.activation = activation_number(p_.epilogue.activation);
        fetch_next(block, strip, number, blocks);
        kernel(block);
        if (!in_registers_)
            finish_({y, p_.y_stride, y, p_.y_stride, rows, columns, nullptr, nullptr, 0});
    }

    // The last columns are fewer than the microkernel stores.
    void part(Kernel kernel, int64_t row, int64_t rows, const Strip &strip, int64_t columns,
              int64_t number, int64_t blocks) const {
        HWY_ALIGN float sums[kMaxRows * kStrip];
        Block block = block_at(row, strip, sums, kStrip);
        fetch_next(block, strip, number, blocks);
        kernel(block);
        finish_({sums, kStrip, p_.y + row * p_.y_stride + strip.column, p_.y_stride, rows, columns,
                 bias_at(strip.column), residual_at(row, strip.column),
                 p_.epilogue.residual_pixel});
    }

    const Product &p_;
    Finish finish_;
    bool in_registers_;
};

/// Rows and strips for a thread.
struct Part {
    int64_t row_begin, row_end, strip_begin, strip_end;
};

void multiply_part(const Product &p, const Part &part) {
    const Multiplier multiplier(p);
    const int64_t panels = panels_of(p.out);
    const int64_t rows = part.row_end - part.row_begin;
    const int64_t most = std::max<int64_t>(kChunkFloats / p.in, 8 * kMaxRows);
    const int64_t chunks = (rows + most - 1) / most;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t begin = part.row_begin + rows * chunk / chunks;
        const int64_t end = part.row_begin + rows * (chunk + 1) / chunks;
        const RowBlocks blocks(end - begin);
        for (int64_t s = part.strip_begin; s < part.strip_end; ++s) {
            const Strip strip = strip_at(p.packed, panels, p.in, s);
            for (int64_t block = 0; block < blocks.count; ++block)
                multiplier.run(blocks, block, begin, strip);
        }
    }
}

/// How many parts the rows and the strips are cut into: what makes the slowest thread finish first.
struct Grid {
    int64_t by_rows;
    int64_t by_strips;
};

inline Grid choose_grid(const Product &p, int64_t threads) {
    const int64_t strips = strips_of(panels_of(p.out));
    Grid best{1, 1};
    double least = 0;
    // Few rows stay together: each alone would be summed in another order.
    for (int64_t by_rows = 1; by_rows <= (p.rows <= kFewRows ? 1 : threads); ++by_rows) {
        if (threads % by_rows != 0)
            continue;
        const int64_t by_strips = threads / by_rows;
        const double rows = double((p.rows + by_rows - 1) / by_rows);
        const double columns = double((strips + by_strips - 1) / by_strips * kStrip);
        // Blocks below four rows take as long as four do. A float from a shared cache costs about
        // as much as eight products.
        const double low = rows < kMaxRows ? std::max(rows, 4.0) : rows;
        const double cost = low * columns + 8 * (rows + columns);
        if (by_rows == 1 || cost < least) {
            least = cost;
            best = {by_rows, by_strips};
        }
    }
    return best;
}

void multiply(const Product &p) {
    const int64_t threads = team_size();
    const Grid grid = choose_grid(p, threads);
    const int64_t strips = strips_of(panels_of(p.out));
    parallel(grid.by_rows * grid.by_strips, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t r = i / grid.by_strips;
            const int64_t s = i % grid.by_strips;
            multiply_part(p, {p.rows * r / grid.by_rows, p.rows * (r + 1) / grid.by_rows,
                              strips * s / grid.by_strips, strips * (s + 1) / grid.by_strips});
        }
    });
}

// to[i] = from[i] · scale[i]
void scale_row(const float *from, const float *scale, float *to, int64_t count) {
    const FloatTag d;
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        hn::StoreU(hn::Mul(hn::LoadU(d, from + i), hn::LoadU(d, scale + i)), d, to + i);
    for (; i < count; ++i)
        to[i] = from[i] * scale[i];
}

// to[k][0, kPanel) = from[k][0, kPanel) · scale[k]
void scale_panel(const float *from, const float *scale, float *to, int64_t depth) {
    const FloatTag d;
    for (int64_t k = 0; k < depth; ++k) {
        const FloatVector factor = hn::Set(d, scale[k]);
        for (int64_t i = 0; i < kPanel; i += kLanes)
            hn::Store(hn::Mul(hn::Load(d, from + k * kPanel + i), factor), d, to + k * kPanel + i);
    }
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(multiply);
HWY_EXPORT(scale_row);
HWY_EXPORT(scale_panel);

PackedGemm::PackedGemm(const float *weight, int64_t out, int64_t in) : out_(out), in_(in) {
    const auto packed = aligned_floats(size_t(panels_of(out) * in * kPanel));
    for (int64_t o = 0; o < out; ++o) {
        float *column = &packed[(o / kPanel) * in * kPanel + o % kPanel];
        for (int64_t i = 0; i < in; ++i)
            column[i * kPanel] = weight[o * in + i];
    }
    packed_ = packed;
}

bool PackedGemm::scales_weights(int64_t rows) const {
    return panels_of(out_) * kPanel < rows;
}

size_t PackedGemm::scratch_floats(int64_t rows) const {
    return size_t(std::min(panels_of(out_) * kPanel, rows) * in_);
}

void PackedGemm::run(const float *x, int64_t x_stride, int64_t rows, float *y, int64_t y_stride,
                     const Epilogue &epilogue, const float *x_scale, float *scratch) const {
    Product product{x, x_stride, rows, y, y_stride, packed_.get(), out_, in_, epilogue};
    if (x_scale != nullptr && scales_weights(rows)) {
        parallel(panels_of(out_), [&](int64_t begin, int64_t end) {
            for (int64_t panel = begin; panel < end; ++panel) {
                const int64_t at = panel * in_ * kPanel;
                HWY_DYNAMIC_DISPATCH(scale_panel)(&packed_[at], x_scale, scratch + at, in_);
            }
        });
        product.packed = scratch;
    } else if (x_scale != nullptr) {
        parallel(rows, [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row)
                HWY_DYNAMIC_DISPATCH(scale_row)
            (x + row * x_stride, x_scale, scratch + row * in_, in_);
        });
        product.x = scratch;
        product.x_stride = in_;
    }
    HWY_DYNAMIC_DISPATCH(multiply)(product);
}

} // namespace tvw::cpu
#endif
