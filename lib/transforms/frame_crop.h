// SPDX-License-Identifier: LGPL-2.1-or-later
// The bytes of a frame that a job reads, to be taken to another memory.
#pragma once

#include <tvw/export.h>

#include "transforms/grid_kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tvw {

/// Rectangles of a frame's planes, row by row without gaps.
class TVW_API FrameCrop {
public:
    explicit FrameCrop(const grid::Job &job);

    size_t bytes() const { return bytes_; }
    void copy_to(uint8_t *dst) const;
    /// The job's source once `copy_to` has filled the memory at `base`: of each component only what
    /// the job reads is there, so its first sample may lie outside.
    pixel::Source source_at(const uint8_t *base) const;

private:
    /// Bytes [begin, end) of rows [first, last], counted from `data`.
    struct Rectangle {
        const uint8_t *data;
        ptrdiff_t stride;
        ptrdiff_t begin;
        ptrdiff_t end;
        int first;
        int last;
        size_t offset; ///< of what it is copied to
        size_t row_bytes() const { return size_t(end - begin); }
        size_t bytes() const { return row_bytes() * size_t(last - first + 1); }
    };

    size_t rectangle_of(const pixel::Component &component) const;

    pixel::Source source_;
    std::array<Rectangle, 3> rectangles_{};
    size_t count_ = 0;
    std::array<size_t, 3> of_component_{}; ///< the rectangle that holds it
    size_t bytes_ = 0;
};

} // namespace tvw
