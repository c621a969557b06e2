// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/placement.h"

#include "backends/cpu/kernels/bfloat16.h"
#include "backends/cuda/gpu.h"
#include "base/log.h"
#include "engine/execute.h"
#include "engine/worker.h"
#include "models/models.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>

namespace tvw {
namespace {

/// Shapes are enough to see it.
bool is_quantized(const EngineConfig &config) {
    const nn::Builder &builder = find_builder(config.builder);
    nn::ShapeSource shapes;
    const Graph graph =
        build_graph(builder, config.arguments, builder.usual_input(config.arguments), shapes);
    return std::ranges::any_of(graph.nodes(), [](const Node &node) {
        return std::holds_alternative<op::Quantize>(node.op);
    });
}

cuda::Gpu &open_gpu(int index) {
    cuda::Gpu *gpu = nullptr;
    Worker::of_gpu(index).run([&] { guarded([&] { gpu = &cuda::Gpu::open(index); }); });
    return *gpu;
}

/// Error unless a GPU is there that runs this.
cuda::Gpu &need_gpu(const EngineConfig &config, bool quantized) {
    if (config.backend == Backend::kReference)
        throw Error(ErrorKind::kInvalidArgument,
                    "the backend \"reference\" computes on the CPU: take the backend \"auto\"");
    if (quantized)
        throw Error(ErrorKind::kNotSupported, "quantized networks run on the CPU alone");
    return open_gpu(config.device.index);
}

/// What the precision needs and does not have on the CPU; empty if nothing.
std::string_view missing_on_cpu(const EngineConfig &config) {
    if (config.precision == Precision::kFp32)
        return {};
    if (config.precision != Precision::kBf16)
        return "an NVIDIA GPU";
    if (config.backend == Backend::kReference)
        return "the backend \"auto\"";
    if (is_quantized(config))
        return "a network that is not quantized";
    if (!cpu::multiplies_bfloat16())
        return "an NVIDIA GPU, or instructions for it that this CPU lacks (AVX512_BF16)";
    return {};
}

Placement on_cpu(const EngineConfig &config, const std::string &reason) {
    const std::string_view precision = precision_name(config.precision);
    if (const std::string_view missing = missing_on_cpu(config); !missing.empty())
        throw Error(ErrorKind::kNotSupported,
                    fmt::format("precision {} needs {}, and {} runs on the CPU{}; or take the "
                                "precision \"fp32\"",
                                precision, missing, config.builder, reason));
    const std::string numbers =
        config.precision == Precision::kFp32 ? "" : fmt::format(" with {}", precision);
    log(LogLevel::kInfo, fmt::format("{} runs on the CPU{}{}", config.builder, numbers, reason));
    return {nullptr, config.precision};
}

Placement on_gpu(const EngineConfig &config, bool quantized) {
    cuda::Gpu &gpu = need_gpu(config, quantized);
    log(LogLevel::kInfo, fmt::format("{} runs on {} with {}", config.builder, gpu.name(),
                                     precision_name(config.precision)));
    return {&gpu, config.precision};
}

} // namespace

Placement choose_placement(const EngineConfig &config) {
    if (config.device.type == Device::Type::kCpu)
        return on_cpu(config, {});
    // What is wrong with the network itself has nothing to do with devices.
    const bool quantized = is_quantized(config);
    if (config.device.type == Device::Type::kCuda) {
        try {
            return on_gpu(config, quantized);
        } catch (const Error &error) {
            throw Error(error.kind(),
                        fmt::format("device cuda:{} cannot be used for {}: {}; or take the device "
                                    "\"cpu\" or \"auto\"",
                                    config.device.index, config.builder, error.what()));
        }
    }
    try {
        return on_gpu(config, quantized);
    } catch (const Error &error) {
        return on_cpu(config, fmt::format(": {}", error.what()));
    }
}

} // namespace tvw
