// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda/self_test.h"

namespace tvw::cuda {

constexpr int kThreads = 32;

// Not in a nameless namespace: nvcc would make its name from the folder of the build.
__global__ void count_up(int *out) {
    out[threadIdx.x] = int(threadIdx.x);
}

cudaError_t run_self_test() {
    int *numbers = nullptr;
    cudaError_t status = cudaMalloc(&numbers, kThreads * sizeof(int));
    if (status != cudaSuccess)
        return status;
    count_up<<<1, kThreads>>>(numbers);
    status = cudaGetLastError();
    int last = -1;
    if (status == cudaSuccess)
        status = cudaMemcpy(&last, numbers + kThreads - 1, sizeof last, cudaMemcpyDeviceToHost);
    cudaFree(numbers);
    if (status == cudaSuccess && last != kThreads - 1)
        status = cudaErrorUnknown;
    return status;
}

} // namespace tvw::cuda
