// SPDX-License-Identifier: LGPL-2.1-or-later
// The core's half of the seam to LibTorch: opens libtvw when an engine is wanted.
#include <tvw/engine.h>
#include <tvw/error.h>

#include "base/shared_library.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace tvw {
namespace {

/// Threads of a libgomp that wait spin for milliseconds, which starves decoders and other streams:
/// a pipeline ran nine times slower for it. The library reads its settings once, when it is loaded
/// (with LibTorch), so for that moment the environment asks for a short spin and then sleep. What
/// the user has set stands, and an OpenMP that the host process has loaded already is untouched.
class ShortSpin {
public:
    ShortSpin() : set_(getenv("OMP_WAIT_POLICY") == nullptr && getenv(kName) == nullptr) {
        if (set_)
            setenv(kName, "10000", 0);
    }
    ~ShortSpin() {
        if (set_)
            unsetenv(kName);
    }
    ShortSpin(const ShortSpin &) = delete;
    ShortSpin &operator=(const ShortSpin &) = delete;

private:
    static constexpr const char *kName = "GOMP_SPINCOUNT";
    bool set_;
};

EngineLibrary *open_engine_library() {
    using EntryPoint = EngineLibrary *(*)();
    const ShortSpin spin;
    return reinterpret_cast<EntryPoint>(open_library("tvw", "tvw_engine_v1"))();
}

} // namespace

std::string_view state_kind_name(StateKind kind) {
    constexpr std::string_view kNames[] = {"tensor", "packed", "dtype"};
    return kNames[size_t(kind)];
}

Engine::~Engine() = default;
FrameRunner::~FrameRunner() = default;

std::vector<NamedTensor> Engine::run(const std::vector<NamedTensor> &inputs) {
    std::vector<NamedTensor> outputs;
    run(inputs, outputs);
    return outputs;
}
EngineLibrary::~EngineLibrary() = default;

EngineLibrary &engine_library() {
    static EngineLibrary *library = open_engine_library();
    return *library;
}

EngineConfig engine_config(const Weights &weights, const Arguments &given) {
    EngineConfig config;
    config.builder = weights.builder();
    config.arguments = builder_arguments(weights, given);
    config.given = given;
    config.strip_prefix = weights.strip_prefix();
    return config;
}

Device parse_device(std::string_view text) {
    if (text == "auto")
        return {};
    if (text == "cpu")
        return {Device::Type::kCpu, 0};
    constexpr std::string_view kCuda = "cuda";
    if (text.starts_with(kCuda)) {
        const std::string_view rest = text.substr(kCuda.size());
        Device device{Device::Type::kCuda, 0};
        if (rest.empty())
            return device;
        const char *end = rest.data() + rest.size();
        const auto [stop, error] = std::from_chars(rest.data() + 1, end, device.index);
        if (rest.front() == ':' && rest.size() > 1 && error == std::errc() && stop == end &&
            device.index >= 0)
            return device;
    }
    throw Error(ErrorKind::kInvalidArgument,
                "device \"" + std::string(text) + "\" is none of auto, cpu, cuda, cuda:N");
}

namespace {
constexpr std::string_view kPrecisions[] = {"fp32", "tf32", "fp16", "bf16"};
} // namespace

Precision parse_precision(std::string_view text) {
    const auto found = std::ranges::find(kPrecisions, text);
    if (found == std::end(kPrecisions))
        throw Error(ErrorKind::kInvalidArgument,
                    "precision \"" + std::string(text) + "\" is none of fp32, tf32, fp16, bf16");
    return Precision(found - std::begin(kPrecisions));
}

std::string_view precision_name(Precision precision) {
    return kPrecisions[size_t(precision)];
}

Backend parse_backend(std::string_view text) {
    if (text == "auto")
        return Backend::kAuto;
    if (text == "reference")
        return Backend::kReference;
    throw Error(ErrorKind::kInvalidArgument,
                "backend \"" + std::string(text) + "\" is none of auto, reference");
}

} // namespace tvw
