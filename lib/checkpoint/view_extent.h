// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/tensor.h>

#include <cstdint>
#include <vector>

namespace tvw {

/// What a strided view touches, counted in elements of its storage.
struct ViewExtent {
    uint64_t numel; ///< elements of the view
    uint64_t end;   ///< one past the last element it reaches; its offset if it has none
};

/// For sizes and strides that are not negative. PickleRefusal where their ranks differ or a number
/// does not fit int64; the same holds for the strides that a packed copy would have.
ViewExtent view_extent(const Shape &shape, const std::vector<int64_t> &strides, uint64_t offset);

} // namespace tvw
