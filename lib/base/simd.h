// SPDX-License-Identifier: LGPL-2.1-or-later
// Highway for the kernels: every source is compiled for AVX-512, AVX2, SSE4 and the compiler's
// baseline, and the best that the CPU has is chosen when a kernel first runs. To be included before
// any of Highway's headers.
#pragma once

// What lies between, and beyond AVX-512's common part (the lower bits), is not worth its code size
// here. Vectors of SVE cannot be members or elements of arrays, which register blocks are.
#define HWY_DISABLED_TARGETS                                                                       \
    ((HWY_AVX3 - 1) | HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
