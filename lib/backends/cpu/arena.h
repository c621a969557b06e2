// SPDX-License-Identifier: LGPL-2.1-or-later
// One block of memory for all buffers of a plan: those that are never in use together share bytes.
#pragma once

#include <cstdint>
#include <vector>

namespace tvw::cpu {

/// What is known of a buffer: its size, and the first and last step that use it.
struct Lifetime {
    int64_t floats = 0;
    int first = 0;
    int last = -1; ///< before `first`: never used
};

struct ArenaLayout {
    std::vector<int64_t> offsets; ///< in floats, multiples of 16, by buffer
    int64_t floats = 0;           ///< of the whole
};

/// Greedy: the largest first, each at the lowest place that is free while it lives.
ArenaLayout lay_out(const std::vector<Lifetime> &buffers);

} // namespace tvw::cpu
