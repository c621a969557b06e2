// SPDX-License-Identifier: LGPL-2.1-or-later
// A GPU through LibTorch: its stream, its memory, its recordings.
#include "cuda/session.h"

#include "cuda/frame_preprocessor.h"
#include "cuda/self_test.h"

#include <tvw/error.h>

#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/cuda/MemPool.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace tvw::cuda {
namespace {

class TorchRecording : public Recording {
public:
    TorchRecording(c10::MempoolId_t pool, const std::function<void()> &job) {
        // Of other threads nothing is recorded, and they may do as they like meanwhile.
        graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
        try {
            job();
        } catch (...) {
            abandon();
            throw;
        }
        graph_.capture_end();
    }
    void replay() override { graph_.replay(); }

private:
    /// Why the job failed is worth more than what ending the capture says of it.
    void abandon() {
        try {
            graph_.capture_end();
        } catch (const c10::Error &) {
            cudaGetLastError(); // "capture invalidated" is told once more otherwise
        }
    }

    at::cuda::CUDAGraph graph_;
};

/// LibTorch's own streams go round among all who ask for one; this is ours alone.
c10::cuda::CUDAStream make_stream(c10::DeviceIndex index) {
    cudaStream_t stream = nullptr;
    C10_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return c10::cuda::getStreamFromExternal(stream, index);
}

DeviceInfo describe(int index) {
    cudaDeviceProp properties{};
    C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
    return {properties.name, properties.major, properties.minor,
            int64_t(properties.totalGlobalMem)};
}

void need_our_kernels(const DeviceInfo &info) {
    const cudaError_t status = run_self_test();
    if (status == cudaErrorNoKernelImageForDevice)
        throw Error(ErrorKind::kNotSupported,
                    info.name + " has compute capability " + std::to_string(info.major) + "." +
                        std::to_string(info.minor) + ", older than this build has kernels for");
    C10_CUDA_CHECK(status);
}

class TorchSession : public Session {
public:
    explicit TorchSession(c10::DeviceIndex index)
        : stream_(make_stream(index)),
          pool_(std::make_unique<at::cuda::MemPool>()),
          info_(describe(index)) {
        need_our_kernels(info_);
    }

    const DeviceInfo &info() const override { return info_; }
    void run(const std::function<void()> &job) override {
        const c10::cuda::CUDAStreamGuard guard(stream_);
        job();
    }
    std::unique_ptr<Recording> record(const std::function<void()> &job) override {
        const c10::cuda::CUDAStreamGuard guard(stream_);
        return std::make_unique<TorchRecording>(pool_->id(), job);
    }
    std::unique_ptr<FramePreprocessor> make_preprocessor(const Transforms &preset) override {
        return make_frame_preprocessor(preset);
    }
    void synchronize() override { stream_.synchronize(); }
    void empty_cache() override { c10::cuda::CUDACachingAllocator::emptyCache(); }

private:
    c10::cuda::CUDAStream stream_;
    /// Of all recordings, so that they share memory: only one is in use at a time, and nothing is
    /// read of its results after the next one starts.
    std::unique_ptr<at::cuda::MemPool> pool_;
    DeviceInfo info_;
};

} // namespace

std::unique_ptr<Session> make_session(int index) {
    // Sets LibTorch's allocators up, before anything else may happen on a GPU.
    at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
    const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
    return std::make_unique<TorchSession>(c10::DeviceIndex(index));
}

} // namespace tvw::cuda
