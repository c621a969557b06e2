// SPDX-License-Identifier: LGPL-2.1-or-later
// A GPU's grid as loops: the kernels of transforms/grid_kernels.h on the host, with memory of their
// own that holds no more than what a GPU would be given.
#pragma once

#include "transforms/frame_crop.h"
#include "transforms/grid_plan.h"

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace tvw::test {

/// Calls `body(column, row)` for each thread of a grid over `columns` × `rows`. The last block
/// comes first: nothing may depend on the order.
template<class Body>
void run_grid(int columns, int rows, const Body &body) {
    using grid::kBlockHeight;
    using grid::kBlockWidth;
    for (auto by = int(grid::blocks(rows, kBlockHeight)); by-- > 0;) {
        for (auto bx = int(grid::blocks(columns, kBlockWidth)); bx-- > 0;) {
            for (int thread = 0; thread < kBlockWidth * kBlockHeight; ++thread)
                body(bx * kBlockWidth + thread % kBlockWidth,
                     by * kBlockHeight + thread / kBlockWidth);
        }
    }
}

class HostGrid {
public:
    explicit HostGrid(const Transforms &preset) : plan_(preset) {}

    const GridPlan &plan() const { return plan_; }

    /// Plans a batch and runs the first pass. `crop`: over copies of what the jobs read, rather
    /// than over the frames.
    void start(std::span<const FrameInput> inputs, bool crop) {
        plan_.plan(inputs);
        rows_.assign(plan_.row_floats(), std::numeric_limits<float>::quiet_NaN());
        jobs_ = plan_.jobs(plan_.windows().data(), plan_.weights().data(), rows_.data());
        copies_.clear();
        for (grid::Job &job : jobs_) {
            if (crop)
                move(job);
            run_grid(plan_.columns(), plan_.rows(),
                     [&](int x, int y) { grid::resize_row_sample(job, x, y); });
        }
    }

    /// The second pass.
    template<typename T>
    void finish(const grid::Output<T> &output) const {
        for (size_t i = 0; i < jobs_.size(); ++i) {
            run_grid(output.width, output.height,
                     [&](int x, int y) { grid::write_pixel(jobs_[i], output, int(i), x, y); });
        }
    }

private:
    void move(grid::Job &job) {
        const FrameCrop crop(job);
        // Exactly as large as it must be, so that a sanitizer sees what lies outside.
        copies_.push_back(std::make_unique<uint8_t[]>(crop.bytes()));
        crop.copy_to(copies_.back().get());
        job.source = crop.source_at(copies_.back().get());
    }

    GridPlan plan_;
    std::vector<float> rows_;
    std::span<grid::Job> jobs_;
    std::vector<std::unique_ptr<uint8_t[]>> copies_;
};

} // namespace tvw::test
