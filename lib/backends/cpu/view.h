// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a value lies: a buffer of the plan, an offset, and strides. Moving elements about is a
// change of view wherever strides can say it.
#pragma once

#include <tvw/tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tvw::cpu {

/// A buffer of the plan.
using BufferId = int32_t;

/// Offset and strides count floats.
struct View {
    BufferId buffer = -1;
    int64_t offset = 0;
    Shape shape;
    std::vector<int64_t> strides;
};

/// Strides without gaps in C order.
std::vector<int64_t> row_major(const Shape &shape);
/// Strides without gaps of [N, C, H, W] with the channels innermost.
std::vector<int64_t> channels_last(const Shape &shape);

View permuted(const View &view, std::span<const int64_t> order);
View sliced(const View &view, int64_t dim, int64_t start, int64_t end, int64_t step);
/// The same elements in C order under another shape; none where strides cannot say it.
std::optional<View> reshaped(const View &view, const Shape &shape);

bool is_row_major(const View &view);
/// Whether the elements lie without gaps, in whichever order of dimensions.
bool is_dense(const View &view);
/// The distance from one vector of the last dimension to the next, where all are equally far apart
/// and their elements lie side by side; none otherwise.
std::optional<int64_t> row_stride(const View &view);
/// The distance from one pixel of [N, C, H, W] to the next, where images lie as kernels/image.h
/// says; none otherwise.
std::optional<int64_t> pixel_stride(const View &view);

} // namespace tvw::cpu
