// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/copy.h"

#include "backends/cpu/parallel.h"

#include <algorithm>
#include <cstring>

namespace tvw::cpu {
namespace {

/// Columns that are transposed together, so that lines of the source are used whole.
constexpr int64_t kTile = 16;

/// rows × columns, of which columns lie side by side in the destination.
void copy_block(const Copy::Dim &rows, const Copy::Dim &columns, const float *from, float *to) {
    if (columns.from == 1 && columns.to == 1) {
        for (int64_t i = 0; i < rows.size; ++i)
            std::memcpy(to + i * rows.to, from + i * rows.from,
                        size_t(columns.size) * sizeof(float));
        return;
    }
    if (columns.size == 2 && columns.to == 1 && rows.from == 1 && rows.to == 2) {
        // Two halves are interleaved, as ShuffleNet does with its channels.
        for (int64_t i = 0; i < rows.size; ++i) {
            to[2 * i] = from[i];
            to[2 * i + 1] = from[columns.from + i];
        }
        return;
    }
    for (int64_t first = 0; first < columns.size; first += kTile) {
        const int64_t end = std::min(first + kTile, columns.size);
        for (int64_t i = 0; i < rows.size; ++i) {
            for (int64_t j = first; j < end; ++j)
                to[i * rows.to + j * columns.to] = from[i * rows.from + j * columns.from];
        }
    }
}

} // namespace

void Copy::run_rows(size_t dim, const float *from, float *to) const {
    if (dim + 2 == dims.size())
        return copy_block(dims[dim], dims[dim + 1], from, to);
    for (int64_t i = 0; i < dims[dim].size; ++i)
        run_rows(dim + 1, from + i * dims[dim].from, to + i * dims[dim].to);
}

void Copy::run(const float *from, float *to) const {
    // The outermost dimension that has enough to share is shared; those outside it are walked.
    const Dim &outer = dims[0];
    if (dims.size() > 2) {
        parallel(outer.size, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i)
                run_rows(1, from + i * outer.from, to + i * outer.to);
        });
        return;
    }
    parallel(outer.size, [&](int64_t begin, int64_t end) {
        copy_block({end - begin, outer.from, outer.to}, dims[1], from + begin * outer.from,
                   to + begin * outer.to);
    });
}

Copy make_copy(const View &from, const View &to) {
    std::vector<Copy::Dim> dims;
    for (size_t i = 0; i < from.shape.size(); ++i) {
        if (from.shape[i] != 1)
            dims.push_back({from.shape[i], from.strides[i], to.strides[i]});
    }
    std::ranges::stable_sort(dims, std::ranges::greater{}, &Copy::Dim::to);
    Copy copy;
    for (const Copy::Dim &dim : dims) {
        if (!copy.dims.empty() && copy.dims.back().from == dim.from * dim.size &&
            copy.dims.back().to == dim.to * dim.size)
            copy.dims.back() = {copy.dims.back().size * dim.size, dim.from, dim.to};
        else
            copy.dims.push_back(dim);
    }
    while (copy.dims.size() < 2)
        copy.dims.insert(copy.dims.begin(), {1, 0, 0});
    return copy;
}

} // namespace tvw::cpu
