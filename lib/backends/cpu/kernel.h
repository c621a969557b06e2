// SPDX-License-Identifier: LGPL-2.1-or-later
// A plan is a list of steps over buffers.
#pragma once

#include "backends/cpu/kernels/image.h"
#include "backends/cpu/view.h"
#include "graph/graph.h"

#include <functional>
#include <string>
#include <vector>

namespace tvw::cpu {

/// The plan's buffers while it runs.
class Memory {
public:
    explicit Memory(size_t buffers) : buffers_(buffers) {}

    float *at(const View &view) const { return buffers_[size_t(view.buffer)] + view.offset; }
    void place(BufferId buffer, float *data) { buffers_[size_t(buffer)] = data; }

private:
    std::vector<float *> buffers_;
};

/// A view that lies as pixel_stride() wants it. How it lies is worked out once, not in every run.
class PlacedImage {
public:
    explicit PlacedImage(const View &view) : view_(view), pixel_(*pixel_stride(view)) {}

    const View &view() const { return view_; }
    int64_t pixels() const { return view_.shape[0] * view_.shape[2] * view_.shape[3]; }
    int64_t channels() const { return view_.shape[1]; }
    int64_t pixel() const { return pixel_; }

    /// As the kernels take it.
    template<typename T>
    Image<T> in(const Memory &memory) const {
        const Shape &shape = view_.shape;
        return {memory.at(view_), shape[0], shape[2], shape[3], shape[1], pixel_};
    }

private:
    View view_;
    int64_t pixel_;
};

/// One call of a kernel.
struct Step {
    ValueId node;             ///< that it is done for
    std::string kernel;       ///< "Winograd F(4×4, 3×3)", "GEMM of patches"
    std::string reason = {};  ///< why this one
    std::vector<View> reads;  ///< what must be there
    std::vector<View> writes; ///< results and scratch
    std::function<void(const Memory &)> run;

    int64_t operations = 0; ///< of further nodes that are done on the way; then of this one, too

    // Of the planner.
    int threads = 1;
    std::string name = {}; ///< of the node, which is gone when the plan runs
    std::string op = {};
    Shape shape = {};
};

} // namespace tvw::cpu
