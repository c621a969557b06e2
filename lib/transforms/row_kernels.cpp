// SPDX-License-Identifier: LGPL-2.1-or-later
// Plain loops that the compiler vectorises; the AVX2 versions are the same code compiled again.
#include "transforms/row_kernels.h"

#include "transforms/pixel.h"

#include <algorithm>
#include <array>

namespace tvw {
namespace {

/// Sums that the vertical pass keeps in registers at a time.
constexpr size_t kColumns = 32;

/// Product and sum with one rounding by the CPU's own instruction.
struct HardwareFma {
    [[gnu::always_inline]] static float multiply_add(float a, float b, float c) {
        return __builtin_fmaf(a, b, c);
    }
};

/// The same without such an instruction: a product of two floats is exact in double.
struct DoubleFma {
    [[gnu::always_inline]] static float multiply_add(float a, float b, float c) {
        return float(double(a) * double(b) + double(c));
    }
};

[[gnu::always_inline]] inline void pack_rows(const uint8_t *const *rows, size_t count,
                                             float *block) {
    std::array<const uint8_t *, kBlockRows> src{};
    std::copy_n(rows, kBlockRows, src.begin());
    for (size_t i = 0; i < count; ++i) {
        for (size_t r = 0; r < kBlockRows; ++r)
            block[i * kBlockRows + r] = src[r][i];
    }
}

/// Adds a window's products to `sum`; `row(k)` points to the lanes of its sample k.
template<typename Fma, typename Row>
[[gnu::always_inline]] inline void add_window(const ResampleWindow &window, const float *weights,
                                              Row row, size_t lanes, float *sum) {
    int k = 0;
    for (; k < window.separate; ++k) {
        const float *src = row(k);
        for (size_t lane = 0; lane < lanes; ++lane)
            sum[lane] += src[lane] * weights[k];
    }
    for (; k < window.count; ++k) {
        const float *src = row(k);
        for (size_t lane = 0; lane < lanes; ++lane)
            sum[lane] = Fma::multiply_add(src[lane], weights[k], sum[lane]);
    }
}

template<typename Fma>
[[gnu::always_inline]] inline void
resize_horizontally(const ResampleTable &table, const float *block, float *dst, size_t stride) {
    constexpr size_t kChannels = 3;
    constexpr size_t kLanes = kChannels * kBlockRows;
    const size_t outputs = table.windows.size();
    for (size_t i = 0; i < outputs; ++i) {
        const ResampleWindow &window = table.windows[i];
        const float *src = block + size_t(window.first) * kLanes;
        std::array<float, kLanes> sum{};
        add_window<Fma>(
            window, &table.weights[i * size_t(table.taps)],
            [src](int k) { return src + size_t(k) * kLanes; }, kLanes, sum.data());
        for (size_t c = 0; c < kChannels; ++c) {
            for (size_t r = 0; r < kBlockRows; ++r)
                dst[r * stride + c * outputs + i] = sum[c * kBlockRows + r];
        }
    }
}

template<typename Fma>
[[gnu::always_inline]] inline void sum_columns(const ResampleWindow &window, const float *weights,
                                               const float *const *rows, size_t first, size_t count,
                                               uint8_t *dst) {
    std::array<float, kColumns> sum{};
    add_window<Fma>(
        window, weights, [rows, first](int k) { return rows[k] + first; }, count, sum.data());
    for (size_t i = 0; i < count; ++i)
        dst[first + i] = pixel::level_of(sum[i]);
}

template<typename Fma>
[[gnu::always_inline]] inline void resize_vertically(const ResampleWindow &window,
                                                     const float *weights, const float *const *rows,
                                                     size_t count, uint8_t *dst) {
    size_t first = 0;
    for (; first + kColumns <= count; first += kColumns)
        sum_columns<Fma>(window, weights, rows, first, kColumns, dst);
    sum_columns<Fma>(window, weights, rows, first, count - first, dst);
}

void pack(const uint8_t *const *rows, size_t count, float *block) {
    pack_rows(rows, count, block);
}
void horizontal(const ResampleTable &table, const float *block, float *dst, size_t stride) {
    resize_horizontally<DoubleFma>(table, block, dst, stride);
}
void vertical(const ResampleWindow &window, const float *weights, const float *const *rows,
              size_t count, uint8_t *dst) {
    resize_vertically<DoubleFma>(window, weights, rows, count, dst);
}

#ifdef __x86_64__
#define TVW_AVX2 __attribute__((target("avx2,fma")))
TVW_AVX2 void pack_avx2(const uint8_t *const *rows, size_t count, float *block) {
    pack_rows(rows, count, block);
}
TVW_AVX2 void horizontal_avx2(const ResampleTable &table, const float *block, float *dst,
                              size_t stride) {
    resize_horizontally<HardwareFma>(table, block, dst, stride);
}
TVW_AVX2 void vertical_avx2(const ResampleWindow &window, const float *weights,
                            const float *const *rows, size_t count, uint8_t *dst) {
    resize_vertically<HardwareFma>(window, weights, rows, count, dst);
}
#endif

} // namespace

const RowKernels &portable_row_kernels() {
    static constexpr RowKernels kKernels = {"portable", pack, horizontal, vertical};
    return kKernels;
}

const RowKernels &row_kernels() {
#ifdef __x86_64__
    static constexpr RowKernels kAvx2 = {"avx2", pack_avx2, horizontal_avx2, vertical_avx2};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return kAvx2;
#endif
    return portable_row_kernels();
}

} // namespace tvw
