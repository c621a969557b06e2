// SPDX-License-Identifier: LGPL-2.1-or-later
// The seam to CUDA: what libtvw-cuda offers through its one symbol, `tvw_cuda_v1`. No type of CUDA
// or LibTorch is named here, so whoever uses a GPU can be compiled without either.
#pragma once

#include <tvw/frame.h>
#include <tvw/tensor.h>
#include <tvw/transforms.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace tvw::cuda {

/// A GPU as its driver describes it.
struct DeviceInfo {
    std::string name; ///< "NVIDIA H100 80GB HBM3"
    int major = 0;    ///< of the compute capability
    int minor = 0;
    int64_t memory_bytes = 0;
};

/// Work that was recorded once and is launched as a whole.
class Recording {
public:
    virtual ~Recording() = default;
    /// Enqueues all of it; called within Session::run.
    virtual void replay() = 0;
};

enum class ImageLayout {
    kChannelsFirst, ///< [N, 3, H, W]
    kChannelsLast,  ///< [N, H, W, 3] in memory
    kClip,          ///< [3, T, H, W]: the frames are those of one clip
};

/// Where images go: dense, on the session's GPU.
struct ImageTensor {
    void *data = nullptr;
    int64_t numel = 0;
    DType dtype = DType::kFloat32; ///< or kFloat16 or kBFloat16: the same values, rounded
    ImageLayout layout = ImageLayout::kChannelsFirst;
};

/// tvw::Preprocessor on a GPU: the same values to the bit.
class FramePreprocessor {
public:
    virtual ~FramePreprocessor() = default;
    /// All frames in one go; called within Session::run. They lie in the host's memory, and have
    /// been read when it returns, or in the session's GPU's, and must stay until what was enqueued
    /// is done. Errors: kInvalidArgument as Preprocessor::run, and for frames that become images of
    /// different sizes.
    virtual void enqueue(std::span<const FrameInput> frames, const ImageTensor &dst) = 0;
};

/// One GPU, with a stream of our own and memory from LibTorch's pool. One thread at a time, always
/// the same. Errors are LibTorch's exceptions.
class Session {
public:
    virtual ~Session() = default;

    virtual const DeviceInfo &info() const = 0;
    /// Runs `job` with the GPU and the stream as LibTorch's current ones. `job` enqueues, and need
    /// not wait.
    virtual void run(const std::function<void()> &job) = 0;
    /// Records what `job` enqueues instead of running it; it must have run before. Every tensor
    /// that it reads must outlive the recording. What it leaves allocated keeps its place; other
    /// recordings share the rest, so results are copied before another one is replayed.
    virtual std::unique_ptr<Recording> record(const std::function<void()> &job) = 0;
    /// Called within `run`. Error(kInvalidArgument) as Preprocessor.
    virtual std::unique_ptr<FramePreprocessor> make_preprocessor(const Transforms &preset) = 0;
    /// Waits until everything that was enqueued is done.
    virtual void synchronize() = 0;
    /// Gives memory that no tensor holds back to the driver.
    virtual void empty_cache() = 0;
};

class Library {
public:
    virtual ~Library() = default;

    /// Whether LibTorch knows that its CUDA part is loaded. It looks for it once a process, when
    /// a convolution or batch norm first runs anywhere, so this library may have come too late.
    virtual bool is_known_to_torch() = 0;
    /// GPUs that the CUDA runtime sees; 0 where it fails.
    virtual int device_count() = 0;
    /// A GPU below device_count(). The first call makes its context, checks that our kernels run
    /// there, and takes a second or so; the session lasts as long as the process.
    /// Error(kNotSupported) for a GPU that this build has no kernels for.
    virtual Session &session(int index) = 0;
};

} // namespace tvw::cuda
