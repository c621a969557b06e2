// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/view.h"

#include <algorithm>
#include <numeric>

namespace tvw::cpu {
namespace {

constexpr int64_t kImageOrder[] = {0, 2, 3, 1};

/// Dimensions that follow one another without a gap, joined; those of size 1 are left out.
struct Run {
    int64_t size;
    int64_t stride;
};

std::vector<Run> joined(const Shape &shape, std::span<const int64_t> strides) {
    std::vector<Run> runs;
    for (size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == 1)
            continue;
        if (!runs.empty() && runs.back().stride == strides[i] * shape[i])
            runs.back() = {runs.back().size * shape[i], strides[i]};
        else
            runs.push_back({shape[i], strides[i]});
    }
    return runs;
}

} // namespace

std::vector<int64_t> row_major(const Shape &shape) {
    std::vector<int64_t> strides(shape.size());
    int64_t next = 1;
    for (size_t i = shape.size(); i-- > 0;) {
        strides[i] = next;
        next *= shape[i];
    }
    return strides;
}

std::vector<int64_t> channels_last(const Shape &shape) {
    return {shape[1] * shape[2] * shape[3], 1, shape[1] * shape[3], shape[1]};
}

View permuted(const View &view, std::span<const int64_t> order) {
    View result{view.buffer, view.offset, {}, {}};
    for (const int64_t dim : order) {
        result.shape.push_back(view.shape[size_t(dim)]);
        result.strides.push_back(view.strides[size_t(dim)]);
    }
    return result;
}

View sliced(const View &view, int64_t dim, int64_t start, int64_t end, int64_t step) {
    View result = view;
    result.offset += start * view.strides[size_t(dim)];
    result.shape[size_t(dim)] = (end - start + step - 1) / step;
    result.strides[size_t(dim)] *= step;
    return result;
}

std::optional<View> reshaped(const View &view, const Shape &shape) {
    const std::vector<Run> runs = joined(view.shape, view.strides);
    View result{view.buffer, view.offset, shape, std::vector<int64_t>(shape.size(), 1)};
    // From the innermost dimension on, each new dimension takes its share of a run.
    size_t run = runs.size();
    int64_t left = 1;
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0;) {
        if (shape[i] == 1)
            continue;
        if (left == 1) {
            if (run == 0)
                return std::nullopt;
            --run;
            left = runs[run].size;
            stride = runs[run].stride;
        }
        if (left % shape[i] != 0)
            return std::nullopt;
        result.strides[i] = stride;
        stride *= shape[i];
        left /= shape[i];
    }
    return result;
}

bool is_row_major(const View &view) {
    const std::vector<Run> runs = joined(view.shape, view.strides);
    return runs.empty() || (runs.size() == 1 && runs[0].stride == 1);
}

bool is_dense(const View &view) {
    std::vector<size_t> order(view.shape.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order,
                             [&](size_t a, size_t b) { return view.strides[a] > view.strides[b]; });
    View sorted{view.buffer, view.offset, {}, {}};
    for (const size_t dim : order) {
        sorted.shape.push_back(view.shape[dim]);
        sorted.strides.push_back(view.strides[dim]);
    }
    return is_row_major(sorted);
}

std::optional<int64_t> row_stride(const View &view) {
    if (view.shape.empty() || (view.shape.back() != 1 && view.strides.back() != 1))
        return std::nullopt;
    const Shape rows(view.shape.begin(), view.shape.end() - 1);
    const std::vector<Run> runs = joined(rows, std::span(view.strides).first(rows.size()));
    if (runs.empty())
        return view.shape.back();
    return runs.size() == 1 ? std::optional(runs[0].stride) : std::nullopt;
}

std::optional<int64_t> pixel_stride(const View &view) {
    if (view.shape.size() != 4)
        return std::nullopt;
    return row_stride(permuted(view, kImageOrder));
}

} // namespace tvw::cpu
