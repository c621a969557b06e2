// SPDX-License-Identifier: LGPL-2.1-or-later
// A program on a GPU: staging, one recording, one synchronisation.
#include "backends/backend.h"
#include "backends/cuda/gpu.h"
#include "backends/cuda/program.h"
#include "backends/outputs.h"
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

/// The same values in memory that the GPU reads and writes by itself, and on the GPU.
struct Staged {
    Staged(const Shape &shape, at::Device gpu)
        : host(at::empty(shape, at::TensorOptions(at::kFloat).pinned_memory(true))),
          device(at::zeros(shape, at::TensorOptions(gpu).dtype(at::kFloat))) {}

    at::Tensor host;
    at::Tensor device;
};

class CudaPlan : public Plan {
public:
    CudaPlan(Graph graph, Gpu &gpu, Precision precision, WeightCache &cache);
    void run(PlanInputs inputs, std::vector<NamedTensor> &outputs) override;
    std::vector<NodeTime> profile(PlanInputs /*inputs*/, int /*rounds*/) override {
        throw Error(ErrorKind::kNotSupported,
                    "nodes are not measured on a GPU: take the device \"cpu\"");
    }

private:
    void record();
    void compute();
    void hand_over(std::vector<NamedTensor> &outputs) const;

    Gpu &gpu_;
    Precision precision_;
    std::optional<Program> program_;
    std::vector<Staged> inputs_;
    std::vector<at::Tensor> read_; ///< those of inputs_ on the GPU
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
        for (const Node &node : program_->graph().nodes()) {
            if (std::holds_alternative<op::Input>(node.op))
                read_.push_back(inputs_.emplace_back(node.type.shape, device).device);
        }
        // The first run sets libraries up, which nothing may do while it is recorded.
        results_ = program_->run(read_);
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
            recording_ = gpu_.session().record([this] { results_ = program_->run(read_); });
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
    results_ = program_->run(read_);
}

void CudaPlan::run(PlanInputs inputs, std::vector<NamedTensor> &outputs) {
    const TorchScope torch;
    for (size_t i = 0; i < inputs_.size(); ++i) {
        const HostTensor packed = inputs[i]->contiguous();
        const auto values = packed.values<float>();
        std::memcpy(inputs_[i].host.mutable_data_ptr(), values.data(), values.size_bytes());
    }
    gpu_.run([&] {
        for (const Staged &input : inputs_)
            input.device.copy_(input.host, /*non_blocking=*/true);
        compute();
        for (size_t i = 0; i < answers_.size(); ++i)
            answers_[i].copy_(results_[i], /*non_blocking=*/true);
    });
    hand_over(outputs);
}

void CudaPlan::hand_over(std::vector<NamedTensor> &outputs) const {
    const auto &named = program_->graph().outputs();
    outputs.resize(named.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
        const auto &[name, id] = named[i];
        const TensorType &type = program_->graph().type(id);
        std::memcpy(claim_output(outputs[i], name, type.dtype, type.shape),
                    answers_[i].const_data_ptr(), answers_[i].nbytes());
    }
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
