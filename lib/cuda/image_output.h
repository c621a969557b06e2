// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda/library.h"
#include "transforms/geometry.h"
#include "transforms/grid_kernels.h"

namespace tvw::cuda {

/// Where the grid writes `count` images of `size`; `values` is what level_values() makes.
template<typename T>
grid::Output<T> image_output(const ImageTensor &dst, const T *values, const Size &size,
                             size_t count) {
    const auto plane = ptrdiff_t(size.height * size.width);
    const auto width = ptrdiff_t(size.width);
    grid::Output<T> output{static_cast<T *>(dst.data),
                           values,
                           int(size.width),
                           int(size.height),
                           3 * plane,
                           plane,
                           width,
                           1};
    if (dst.layout == ImageLayout::kChannelsLast) {
        output.channel = 1;
        output.row = 3 * width;
        output.column = 3;
    } else if (dst.layout == ImageLayout::kClip) {
        output.image = plane;
        output.channel = plane * ptrdiff_t(count);
    }
    return output;
}

} // namespace tvw::cuda
