// SPDX-License-Identifier: LGPL-2.1-or-later
// Where frames are preprocessed: a GPU, through libtvw-cuda, or loops over its grid on the host,
// which show on any machine that what compares and measures is itself right.
#pragma once

#include "cuda/image_output.h"
#include "support/host_grid.h"

#include <tvw/engine.h>
#include <tvw/error.h>

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <dlfcn.h>

namespace tvw::test {

/// The grid's loops in place of its kernels.
class GridLoops : public cuda::FramePreprocessor {
public:
    explicit GridLoops(const Transforms &preset) : grid_(preset) {}

    void enqueue(std::span<const FrameInput> frames, const cuda::ImageTensor &dst) override {
        grid_.start(frames, true);
        const Normalization &normalization = grid_.plan().normalization();
        if (dst.dtype == DType::kFloat32)
            finish<float>(normalization, dst, frames.size(), [](float value) { return value; });
        else if (dst.dtype == DType::kFloat16)
            finish<uint16_t>(normalization, dst, frames.size(), float_to_half);
        else
            finish<uint16_t>(normalization, dst, frames.size(), float_to_bfloat16);
    }

private:
    template<typename T, typename Round>
    void finish(const Normalization &normalization, const cuda::ImageTensor &dst, size_t count,
                const Round &round) {
        const std::vector<T> values = level_values<T>(normalization, round);
        grid_.finish(cuda::image_output(dst, values.data(), grid_.plan().output(), count));
    }

    HostGrid grid_;
};

class Place {
public:
    /// "cpu", "cuda", "cuda:1".
    explicit Place(const std::string &text) : wanted_(parse_device(text)) {
        if (wanted_.type != Device::Type::kCuda)
            return;
        using EntryPoint = cuda::Library *();
        void *library = dlopen("libtvw-cuda.so", RTLD_NOW | RTLD_GLOBAL);
        if (library == nullptr)
            throw Error(ErrorKind::kNotSupported, dlerror());
        auto *entry = reinterpret_cast<EntryPoint *>(dlsym(library, "tvw_cuda_v1"));
        session_ = &entry()->session(wanted_.index);
    }

    at::Device device() const {
        return session_ != nullptr ? at::Device(at::kCUDA, c10::DeviceIndex(wanted_.index))
                                   : at::Device(at::kCPU);
    }
    std::string name() const { return session_ != nullptr ? session_->info().name : "loops"; }
    /// What frames in its memory carry.
    std::optional<GpuMemory> memory() const {
        return session_ != nullptr ? std::optional(GpuMemory{wanted_.index}) : std::nullopt;
    }

    std::unique_ptr<cuda::FramePreprocessor> make_preprocessor(const Transforms &preset) {
        if (session_ == nullptr)
            return std::make_unique<GridLoops>(preset);
        std::unique_ptr<cuda::FramePreprocessor> result;
        run([&] { result = session_->make_preprocessor(preset); });
        return result;
    }
    /// Runs what enqueues, and waits.
    void run(const std::function<void()> &job) {
        if (session_ == nullptr)
            return job();
        session_->run(job);
        session_->synchronize();
    }
    /// A frame in its memory, which `kept` keeps.
    FrameView moved(const RandomFrame &frame, std::vector<at::Tensor> &kept) const {
        FrameView view = frame.copied([&](std::span<const uint8_t> bytes) {
            const at::Tensor here =
                at::empty({int64_t(bytes.size())}, at::TensorOptions(at::kByte));
            std::memcpy(here.mutable_data_ptr(), bytes.data(), bytes.size());
            kept.push_back(here.to(device()));
            return static_cast<const uint8_t *>(kept.back().const_data_ptr());
        });
        view.gpu = memory();
        return view;
    }

private:
    Device wanted_;
    cuda::Session *session_ = nullptr; ///< none: loops
};

} // namespace tvw::test
