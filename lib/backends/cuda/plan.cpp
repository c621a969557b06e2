// SPDX-License-Identifier: LGPL-2.1-or-later
// A program on a GPU: staging, one recording, one synchronisation.
#include "backends/backend.h"
#include "backends/convert.h"
#include "backends/cuda/gpu.h"
#include "backends/cuda/program.h"
#include "backends/silence.h"
#include "base/log.h"
#include "base/text.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

namespace tvw {
namespace {

using namespace cuda;

at::ScalarType scalar_type(Precision precision) {
    switch (precision) {
    case Precision::kFp16:
        return at::kHalf;
    case Precision::kBf16:
        return at::kBFloat16;
    case Precision::kFp32:
    case Precision::kTf32:
        break;
    }
    return at::kFloat;
}

/// Everything that touches LibTorch goes within: no gradients, and no warnings printed.
struct TorchScope {
    SilentWarnings silence;
    c10::InferenceMode inference;
};

/// How exact products are that are chosen or computed while this lives. It is one setting for the
/// whole process, so GPUs whose networks are planned at the same time wait for each other.
class ProductScope {
public:
    explicit ProductScope(Precision precision)
        : lock_(mutex()),
          convolutions_(at::globalContext().allowTF32CuDNN()),
          matrices_(at::globalContext().allowTF32CuBLAS()) {
        allow(precision == Precision::kTf32, precision == Precision::kTf32);
    }
    ~ProductScope() { allow(convolutions_, matrices_); }
    ProductScope(const ProductScope &) = delete;
    ProductScope &operator=(const ProductScope &) = delete;

private:
    static std::mutex &mutex() {
        static std::mutex instance;
        return instance;
    }
    static void allow(bool convolutions, bool matrices) {
        at::globalContext().setAllowTF32CuDNN(convolutions);
        at::globalContext().setAllowTF32CuBLAS(matrices);
    }

    std::lock_guard<std::mutex> lock_;
    bool convolutions_;
    bool matrices_;
};

/// A tensor of the host on its way: in memory that the GPU reads by itself, and on the GPU.
class Staging {
public:
    /// For tensors that become `target`.
    explicit Staging(const at::Tensor &target)
        : host_(at::empty(target.sizes(), at::TensorOptions(at::kFloat).pinned_memory(true))),
          device_(at::empty(target.sizes(), at::TensorOptions(target.device()).dtype(at::kFloat))) {
    }

    /// Enqueues the copies. What was enqueued before is done.
    void send(const HostTensor &source, at::Tensor &target) {
        const HostTensor packed = source.contiguous();
        const auto values = packed.values<float>();
        std::memcpy(host_.mutable_data_ptr(), values.data(), values.size_bytes());
        device_.copy_(host_, /*non_blocking=*/true);
        target.copy_(device_); // into its type and layout, in one pass
    }

private:
    at::Tensor host_;
    at::Tensor device_;
};

/// Where frames are written: an image with its channels last, as Program::make_inputs has it.
ImageTensor image_tensor(at::Tensor &image) {
    if (!image.is_contiguous(at::MemoryFormat::ChannelsLast))
        throw Error(ErrorKind::kInternal, "the network's input is no image");
    return {image.mutable_data_ptr(), image.numel(), dtype_of(image.scalar_type()),
            ImageLayout::kChannelsLast};
}

class CudaPlan : public Plan {
public:
    CudaPlan(Graph graph, Gpu &gpu, Precision precision, WeightCache &cache);
    void run(PlanInputs inputs, std::vector<NamedTensor> &outputs) override;
    void run_filled(const FillInput &fill, std::vector<NamedTensor> &outputs) override;
    std::vector<NodeTime> profile(PlanInputs /*inputs*/, int /*rounds*/) override {
        throw Error(ErrorKind::kNotSupported,
                    "nodes are not measured on a GPU: take the device \"cpu\"");
    }

private:
    void record();
    void compute();
    void answer();

    Gpu &gpu_;
    Precision precision_;
    std::optional<Program> program_;
    std::vector<at::Tensor> inputs_;              ///< what the program reads
    std::vector<std::optional<Staging>> staging_; ///< made when tensors first come from the host
    std::vector<at::Tensor> results_;
    std::vector<at::Tensor> answers_; ///< the results in the host's memory
    std::unique_ptr<Recording> recording_;
};

CudaPlan::CudaPlan(Graph graph, Gpu &gpu, Precision precision, WeightCache &cache)
    : gpu_(gpu), precision_(precision) {
    const TorchScope torch;
    const ProductScope products(precision);
    const at::Device device(at::kCUDA, c10::DeviceIndex(gpu.index()));
    gpu_.run([&] {
        program_.emplace(std::move(graph), device, scalar_type(precision), cache);
        inputs_ = program_->make_inputs();
        staging_.resize(inputs_.size());
        // The first run sets libraries up, which nothing may do while it is recorded.
        results_ = program_->run(inputs_);
        for (const at::Tensor &result : results_)
            answers_.push_back(at::empty(
                result.sizes(), at::TensorOptions(result.scalar_type()).pinned_memory(true)));
    });
    record();
}

void CudaPlan::record() {
    // What the first run used is given back: the recording has memory of its own.
    results_.clear();
    gpu_.session().empty_cache();
    gpu_.run([this] {
        try {
            recording_ = gpu_.session().record([this] { results_ = program_->run(inputs_); });
        } catch (const c10::OutOfMemoryError &) {
            throw;
        } catch (const c10::Error &error) {
            recording_.reset();
            results_.clear();
            log(LogLevel::kWarning,
                program_->graph().name() + " runs slower than it could on " + gpu_.name() +
                    ", call by call: " + first_line(error.what_without_backtrace()));
        }
    });
}

void CudaPlan::compute() {
    if (recording_) {
        recording_->replay();
        return;
    }
    const ProductScope products(precision_);
    results_ = program_->run(inputs_);
}

/// Enqueues all that comes after the input.
void CudaPlan::answer() {
    compute();
    for (size_t i = 0; i < answers_.size(); ++i)
        answers_[i].copy_(results_[i], /*non_blocking=*/true);
}

void CudaPlan::run(PlanInputs inputs, std::vector<NamedTensor> &outputs) {
    const TorchScope torch;
    gpu_.run([&] {
        for (size_t i = 0; i < inputs_.size(); ++i) {
            if (!staging_[i])
                staging_[i].emplace(inputs_[i]);
            staging_[i]->send(*inputs[i], inputs_[i]);
        }
        answer();
    });
    hand_over(program_->graph(), answers_, outputs);
}

void CudaPlan::run_filled(const FillInput &fill, std::vector<NamedTensor> &outputs) {
    const TorchScope torch;
    gpu_.run([&] {
        fill(image_tensor(inputs_.front()));
        answer();
    });
    hand_over(program_->graph(), answers_, outputs);
}

} // namespace

std::unique_ptr<Plan> make_cuda_plan(Graph graph, Gpu &gpu, Precision precision,
                                     WeightCache &cache) {
    return std::make_unique<CudaPlan>(std::move(graph), gpu, precision, cache);
}

std::shared_ptr<WeightCache> make_weight_cache() {
    return std::make_shared<WeightCache>();
}

} // namespace tvw
