// SPDX-License-Identifier: LGPL-2.1-or-later
// Arithmetic on numbers that a file claims.
#pragma once

#include <cstdint>

namespace tvw {

/// False where the result does not fit; `result` is then meaningless.
[[nodiscard]] inline bool add(uint64_t a, uint64_t b, uint64_t &result) {
    return !__builtin_add_overflow(a, b, &result);
}
[[nodiscard]] inline bool multiply(uint64_t a, uint64_t b, uint64_t &result) {
    return !__builtin_mul_overflow(a, b, &result);
}

} // namespace tvw
