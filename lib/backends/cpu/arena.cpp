// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/arena.h"

#include <algorithm>
#include <numeric>

namespace tvw::cpu {
namespace {

/// A cache line: what two buffers share, two threads would fight over.
constexpr int64_t kAlignment = 16;

int64_t rounded(int64_t floats) {
    return (floats + kAlignment - 1) / kAlignment * kAlignment;
}

bool overlap(const Lifetime &a, const Lifetime &b) {
    return a.first <= b.last && b.first <= a.last;
}

} // namespace

ArenaLayout lay_out(const std::vector<Lifetime> &buffers) {
    std::vector<size_t> order(buffers.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(
        order, [&](size_t a, size_t b) { return buffers[a].floats > buffers[b].floats; });
    ArenaLayout layout{std::vector<int64_t>(buffers.size(), 0), 0};
    std::vector<size_t> placed; // by offset
    for (const size_t buffer : order) {
        if (buffers[buffer].last < buffers[buffer].first)
            continue;
        const int64_t size = rounded(buffers[buffer].floats);
        int64_t offset = 0;
        for (const size_t other : placed) {
            if (!overlap(buffers[buffer], buffers[other]))
                continue;
            if (offset + size <= layout.offsets[other])
                break;
            offset = std::max(offset, layout.offsets[other] + rounded(buffers[other].floats));
        }
        layout.offsets[buffer] = offset;
        layout.floats = std::max(layout.floats, offset + size);
        const auto after = std::ranges::upper_bound(
            placed, offset, {}, [&](size_t other) { return layout.offsets[other]; });
        placed.insert(after, buffer);
    }
    return layout;
}

} // namespace tvw::cpu
