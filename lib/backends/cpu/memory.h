// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory for what kernels read over and over: on huge pages, where the system grants them, since a
// network's weights are thousands of small ones, more than a processor knows the addresses of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tvw::cpu {

/// Half of a small second-level cache: what a thread goes over more than once stays there, beside
/// what passes by.
inline constexpr int64_t kHalfCacheFloats = int64_t{64} * 1024;

/// Floats that plans may share.
using SharedFloats = std::shared_ptr<const float[]>;

/// `count` floats, aligned to 64 bytes and zero. Small requests that follow one another lie in one
/// block, which is returned to the system when nobody uses any of it.
std::shared_ptr<float[]> aligned_floats(size_t count);

} // namespace tvw::cpu
