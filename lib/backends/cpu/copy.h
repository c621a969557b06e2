// SPDX-License-Identifier: LGPL-2.1-or-later
// Moving elements from one view to another.
#pragma once

#include "backends/cpu/view.h"

#include <vector>

namespace tvw::cpu {

/// A copy between views of one shape, dimensions joined where both sides allow it and put into the
/// order in which the destination lies.
class Copy {
public:
    void run(const float *from, float *to) const;

    struct Dim {
        int64_t size;
        int64_t from;
        int64_t to;
    };
    std::vector<Dim> dims; ///< outermost first, two at least

private:
    void run_rows(size_t dim, const float *from, float *to) const;
};

Copy make_copy(const View &from, const View &to);

} // namespace tvw::cpu
