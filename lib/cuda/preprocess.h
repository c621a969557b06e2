// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "transforms/grid_kernels.h"

#include <cuda_runtime_api.h>

namespace tvw::cuda {

/// What the grid of the first pass must hold: the largest of all jobs.
struct RowExtent {
    int columns;
    int rows;
};

/// The widest output that a grid holds.
constexpr int kMostColumns = 65535 * grid::kBlockWidth;
/// The most jobs of one batch.
constexpr int kMostJobs = 65535;

/// Enqueues both passes over `count` jobs, which lie on the GPU. T is float, or uint16_t for
/// values of 16 bits.
template<typename T>
cudaError_t launch_preprocess(const grid::Job *jobs, int count, const RowExtent &extent,
                              const grid::Output<T> &output, cudaStream_t stream);

} // namespace tvw::cuda
