// SPDX-License-Identifier: LGPL-2.1-or-later
// The grid of transforms/grid_kernels.h: rows along x, the only axis that takes any number of
// blocks, then columns, then jobs.
#include "cuda/preprocess.h"

namespace tvw::cuda {
namespace {

__device__ int thread_column() {
    return int(blockIdx.y * blockDim.x + threadIdx.x);
}

__device__ int thread_row() {
    return int(blockIdx.x * blockDim.y + threadIdx.y);
}

__global__ void resize_rows(const grid::Job *jobs) {
    grid::resize_row_sample(jobs[blockIdx.z], thread_column(), thread_row());
}

template<typename T>
__global__ void write_images(const grid::Job *jobs, grid::Output<T> output) {
    grid::write_pixel(jobs[blockIdx.z], output, int(blockIdx.z), thread_column(), thread_row());
}

dim3 grid_of(int columns, int rows, int jobs) {
    return {grid::blocks(rows, grid::kBlockHeight), grid::blocks(columns, grid::kBlockWidth),
            unsigned(jobs)};
}

} // namespace

template<typename T>
cudaError_t launch_preprocess(const grid::Job *jobs, int count, const RowExtent &extent,
                              const grid::Output<T> &output, cudaStream_t stream) {
    const dim3 block(grid::kBlockWidth, grid::kBlockHeight);
    resize_rows<<<grid_of(extent.columns, extent.rows, count), block, 0, stream>>>(jobs);
    const cudaError_t status = cudaGetLastError();
    if (status != cudaSuccess)
        return status;
    write_images<<<grid_of(output.width, output.height, count), block, 0, stream>>>(jobs, output);
    return cudaGetLastError();
}

template cudaError_t launch_preprocess(const grid::Job *, int, const RowExtent &,
                                       const grid::Output<float> &, cudaStream_t);
template cudaError_t launch_preprocess(const grid::Job *, int, const RowExtent &,
                                       const grid::Output<uint16_t> &, cudaStream_t);

} // namespace tvw::cuda
