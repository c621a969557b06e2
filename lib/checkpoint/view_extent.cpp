// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/view_extent.h"

#include "checkpoint/checked.h"
#include "checkpoint/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace tvw {

ViewExtent view_extent(const Shape &shape, const std::vector<int64_t> &strides, uint64_t offset) {
    if (shape.size() != strides.size())
        refuse(fmt::format("{} sizes and {} strides", shape.size(), strides.size()));
    constexpr auto kLargest = uint64_t(std::numeric_limits<int64_t>::max());
    const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
    uint64_t packed = 1; // the elements; with sizes of 0 counted as 1, as packed strides do
    uint64_t last = offset;
    bool fits = true;
    for (size_t i = 0; i < shape.size(); ++i) {
        const auto size = std::max<uint64_t>(uint64_t(shape[i]), 1);
        uint64_t step = 0;
        fits = fits && multiply(packed, size, packed) &&
               multiply(size - 1, uint64_t(strides[i]), step) && add(last, step, last);
    }
    if (!fits || packed > kLargest || last >= kLargest)
        refuse(fmt::format("the extent of {} does not fit 64 bits", shape_text(shape)));
    return empty ? ViewExtent{0, offset} : ViewExtent{packed, last + 1};
}

} // namespace tvw
