// SPDX-License-Identifier: LGPL-2.1-or-later
// A program on the CPU in bfloat16, which LibTorch's oneDNN multiplies with the CPU's own
// instructions.
#include "backends/backend.h"
#include "backends/convert.h"
#include "backends/cuda/program.h"
#include "backends/silence.h"

#include <c10/core/InferenceMode.h>

#include <optional>
#include <utility>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace tvw {
namespace {

class Bfloat16Plan : public Plan {
public:
    Bfloat16Plan(Graph graph, cuda::WeightCache &cache) {
        const SilentWarnings silence;
        const c10::InferenceMode inference;
        program_.emplace(std::move(graph), at::kCPU, at::kBFloat16, cache);
    }

    void run(PlanInputs inputs, std::vector<NamedTensor> &outputs) override {
        const SilentWarnings silence;
        const c10::InferenceMode inference;
        std::vector<at::Tensor> tensors;
        for (const HostTensor *input : inputs)
            tensors.emplace_back(*input);
        hand_over(program_->graph(), program_->run(tensors), outputs);
    }

    std::vector<NodeTime> profile(PlanInputs /*inputs*/, int /*rounds*/) override {
        throw Error(ErrorKind::kNotSupported,
                    "nodes are not measured with bf16: take the precision \"fp32\"");
    }

private:
    std::optional<cuda::Program> program_; ///< made where LibTorch keeps quiet
};

} // namespace

bool cpu_multiplies_bfloat16() {
#if defined(__x86_64__)
    // Where AMX is, these are too. The operating system's part is asked for as well.
    return __builtin_cpu_supports("avx512bf16") != 0;
#elif defined(__aarch64__) && defined(HWCAP2_BF16)
    return (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#else
    return false;
#endif
}

std::unique_ptr<Plan> make_bfloat16_plan(Graph graph, cuda::WeightCache &cache) {
    return std::make_unique<Bfloat16Plan>(std::move(graph), cache);
}

} // namespace tvw
