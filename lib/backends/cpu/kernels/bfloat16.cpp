// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/kernels/bfloat16.h"

#include "base/half.h"

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__linux__)
#define TVW_X86_BFLOAT16 1
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tvw::cpu {
namespace {

void nothing() {}

void round_portably(const float *from, const float *scale, Bfloat16 *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = float_to_bfloat16(scale == nullptr ? from[i] : from[i] * scale[i]);
}

void multiply_portably(const TileBlock &block) {
    constexpr int64_t kWidth = 2 * kPanel;
    std::fill_n(block.c, block.row_tiles * kTileRows * kWidth, 0.0f);
    const Bfloat16 *pairs = block.b;
    for (const int64_t tap : block.taps) {
        for (int64_t k = 0; k < block.tap_depth; k += 2, pairs += 2 * kPanel) {
            for (int64_t row = 0; row < block.row_tiles * kTileRows; ++row) {
                const Bfloat16 *a = block.a + row * block.a_stride + tap + k;
                for (int64_t column = 0; column < block.panels * kPanel; ++column) {
                    const Bfloat16 *b = pairs + column / kPanel * block.panel + column % kPanel * 2;
                    block.c[row * kWidth + column] +=
                        bfloat16_to_float(a[0]) * bfloat16_to_float(b[0]) +
                        bfloat16_to_float(a[1]) * bfloat16_to_float(b[1]);
                }
            }
        }
    }
}

constexpr Bfloat16Kernels kPortable{"portable", round_portably, nothing, nothing,
                                    multiply_portably};

#ifdef TVW_X86_BFLOAT16

#define TVW_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define TVW_AMX __attribute__((target("avx512f,amx-tile,amx-bf16")))

TVW_AVX512_BF16 inline __m512 load_scaled(const float *from, const float *scale, int64_t at,
                                          int64_t count) {
    const auto mask = __mmask16(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
    const __m512 x = _mm512_maskz_loadu_ps(mask, from + at);
    return scale == nullptr ? x : _mm512_mul_ps(x, _mm512_maskz_loadu_ps(mask, scale + at));
}

TVW_AVX512_BF16 void round_avx512(const float *from, const float *scale, Bfloat16 *to,
                                  int64_t count) {
    for (int64_t i = 0; i < count; i += 32) {
        const int64_t left = count - i;
        const __m512 low = load_scaled(from, scale, i, left);
        const __m512 high = load_scaled(from, scale, i + 16, left - 16);
        const auto mask = __mmask32(left >= 32 ? ~0U : (1U << left) - 1);
        _mm512_mask_storeu_epi16(to + i, mask, __m512i(_mm512_cvtne2ps_pbh(high, low)));
    }
}

/// Some rows at a time, whose sums stay in registers.
template<int kPanels>
TVW_AVX512_BF16 void multiply_rows_avx512(const TileBlock &block, int64_t first) {
    constexpr int kRows = 8;
    __m512 sums[kRows][kPanels];
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row)
        for (int panel = 0; panel < kPanels; ++panel)
            sums[row][panel] = _mm512_setzero_ps();
    const Bfloat16 *pairs = block.b;
    for (const int64_t tap : block.taps) {
        const Bfloat16 *a = block.a + first * block.a_stride + tap;
        for (int64_t k = 0; k < block.tap_depth; k += 2, pairs += 2 * kPanel) {
            __m512bh b[kPanels];
            for (int panel = 0; panel < kPanels; ++panel)
                b[panel] = __m512bh(_mm512_loadu_si512(pairs + panel * block.panel));
#pragma GCC unroll 8
            for (int row = 0; row < kRows; ++row) {
                int32_t pair = 0;
                std::memcpy(&pair, a + row * block.a_stride + k, sizeof pair);
                const auto factor = __m512bh(_mm512_set1_epi32(pair));
                for (int panel = 0; panel < kPanels; ++panel)
                    sums[row][panel] = _mm512_dpbf16_ps(sums[row][panel], factor, b[panel]);
            }
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row)
        for (int panel = 0; panel < kPanels; ++panel)
            _mm512_store_ps(block.c + (first + row) * 2 * kPanel + panel * kPanel,
                            sums[row][panel]);
}

TVW_AVX512_BF16 void multiply_avx512(const TileBlock &block) {
    for (int64_t row = 0; row < block.row_tiles * kTileRows; row += 8)
        block.panels == 1 ? multiply_rows_avx512<1>(block, row)
                          : multiply_rows_avx512<2>(block, row);
}

constexpr Bfloat16Kernels kAvx512{"AVX512_BF16", round_avx512, nothing, nothing, multiply_avx512};

/// What LDTILECFG reads: all eight tiles have 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

TVW_AMX void begin_amx() {
    static constexpr TileConfiguration kConfiguration;
    _tile_loadconfig(&kConfiguration);
}

TVW_AMX void end_amx() {
    _tile_release();
}

// The numbers of tiles must be literals: 0 to 3 hold the sums, 4 and 5 rows of a, 6 and 7 panels.
template<int kRowTiles, int kPanels>
TVW_AMX void multiply_tiles(const TileBlock &block) {
    constexpr int64_t kBytes = 64; // of a row of a tile
    const auto a_bytes = block.a_stride * int64_t{sizeof(Bfloat16)};
    const Bfloat16 *b = block.b;
    const Bfloat16 *next = block.next;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (const int64_t tap : block.taps) {
        const Bfloat16 *a = block.a + tap;
        for (const Bfloat16 *end = a + block.tap_depth; a < end; a += kTileDepth) {
            for (int64_t i = 0; i < block.next_step; i += kTileDepth) {
                __builtin_prefetch(next + i, 0, 2); // to the second-level cache
                __builtin_prefetch(next + block.panel + i, 0, 2);
            }
            next += block.next_step;
            _tile_loadd(4, a, a_bytes);
            _tile_loadd(6, b, kBytes);
            _tile_dpbf16ps(0, 4, 6);
            if constexpr (kPanels == 2) {
                _tile_loadd(7, b + block.panel, kBytes);
                _tile_dpbf16ps(1, 4, 7);
            }
            if constexpr (kRowTiles == 2) {
                _tile_loadd(5, a + kTileRows * block.a_stride, a_bytes);
                _tile_dpbf16ps(2, 5, 6);
                if constexpr (kPanels == 2)
                    _tile_dpbf16ps(3, 5, 7);
            }
            b += kTileDepth * kPanel;
        }
    }
    constexpr int64_t kRow = 2 * kPanel;
    constexpr auto kRowBytes = kRow * int64_t{sizeof(float)};
    _tile_stored(0, block.c, kRowBytes);
    if constexpr (kPanels == 2)
        _tile_stored(1, block.c + kPanel, kRowBytes);
    if constexpr (kRowTiles == 2)
        _tile_stored(2, block.c + kTileRows * kRow, kRowBytes);
    if constexpr (kRowTiles == 2 && kPanels == 2)
        _tile_stored(3, block.c + kTileRows * kRow + kPanel, kRowBytes);
}

void multiply_amx(const TileBlock &block) {
    if (block.row_tiles == 2)
        block.panels == 2 ? multiply_tiles<2, 2>(block) : multiply_tiles<2, 1>(block);
    else
        block.panels == 2 ? multiply_tiles<1, 2>(block) : multiply_tiles<1, 1>(block);
}

constexpr Bfloat16Kernels kAmx{"AMX", round_avx512, begin_amx, end_amx, multiply_amx};

/// Whether CPU and system have AMX; the system is asked for its registers, once for the process.
bool has_amx() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0)
        return false;
    constexpr unsigned kTile = 1U << 24, kTileBfloat16 = 1U << 22;
    if ((d & kTile) == 0 || (d & kTileBfloat16) == 0)
        return false;
    constexpr long kRequestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM, which old headers lack
    constexpr long kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

#endif

std::vector<const Bfloat16Kernels *> find_kernels() {
    std::vector<const Bfloat16Kernels *> found;
#ifdef TVW_X86_BFLOAT16
    if (__builtin_cpu_supports("avx512bf16") != 0) {
        if (has_amx())
            found.push_back(&kAmx);
        found.push_back(&kAvx512);
    }
#endif
    found.push_back(&kPortable);
    return found;
}

} // namespace

std::span<const Bfloat16Kernels *const> bfloat16_kernels() {
    static const std::vector<const Bfloat16Kernels *> kFound = find_kernels();
    return kFound;
}

bool multiplies_bfloat16() {
    return bfloat16_kernels().size() > 1;
}

} // namespace tvw::cpu
