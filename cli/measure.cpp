// SPDX-License-Identifier: LGPL-2.1-or-later
#include "measure.h"

#include "interrupt.h"

#include <tvw/hub.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <random>
#include <string_view>

#include <sched.h>

namespace tvw::cli {
namespace {

constexpr int64_t kUsualSide = 224;

/// CPUs this process may use, which containers and taskset restrict.
int allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

bool is_builder(const std::string &name) {
    const std::vector<std::string> all = list_models({}, std::vector{name});
    const std::vector<std::string> extra = list_models("extra", std::vector{name});
    const auto has = [&name](const std::vector<std::string> &names) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    return has(all) || has(extra);
}

/// Height and width: those asked for, or what the checkpoint was made for.
std::array<int64_t, 2> image_size(const MeasureOptions &options,
                                  const std::optional<Weights> &weights) {
    if (!options.size.empty())
        return {options.size.front(), options.size.back()};
    const Transforms *transforms = weights ? &weights->transforms() : nullptr;
    const auto *preset = transforms ? std::get_if<ImageClassification>(transforms) : nullptr;
    if (preset == nullptr || preset->crop_size.empty())
        return {kUsualSide, kUsualSide};
    return {preset->crop_size.front(), preset->crop_size.back()};
}

/// Zeros would be multiplied no slower, but activations that die out become denormals.
HostTensor random_tensor(const Shape &shape) {
    HostTensor tensor = HostTensor::zeros(DType::kFloat32, shape);
    std::mt19937 bits; // its default seed: always the same
    std::normal_distribution<float> normal;
    for (float &value : tensor.mutable_values<float>())
        value = normal(bits);
    return tensor;
}

} // namespace

void add_measure_options(CLI::App &command, MeasureOptions &options) {
    command
        .add_option("weights", options.model,
                    "A builder's name for random parameters; Enum.MEMBER or a descriptor for those "
                    "of a checkpoint")
        ->required();
    command.add_option("--batch", options.batch, "Images in a run")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command
        .add_option("--size", options.size,
                    "Side of the image, or height,width; without it, that of the checkpoint")
        ->delimiter(',')
        ->expected(1, 2)
        ->check(CLI::PositiveNumber);
    command.add_option("--threads", options.threads, "0: one per CPU")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option("--rounds", options.rounds, "Runs that are measured")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command.add_option("--backend", options.backend, "auto or reference")->capture_default_str();
    command.add_option("--device", options.device, "auto, cpu or cuda:N")->capture_default_str();
    command.add_option("--precision", options.precision, "fp32, tf32, fp16 or bf16")
        ->capture_default_str();
}

Measured prepare(const MeasureOptions &options) {
    Measured measured;
    const Backend backend = parse_backend(options.backend);
    const Device device = parse_device(options.device);
    const Precision precision = parse_precision(options.precision);
    const bool random = is_builder(options.model);
    const std::optional<Weights> weights =
        random ? get_model_weights(options.model).default_member() : find_weights(options.model);
    if (weights)
        measured.config = engine_config(*weights);
    if (random)
        measured.config.builder = options.model;
    measured.model = random ? options.model : weights->name();
    measured.config.backend = backend;
    measured.config.device = device;
    measured.config.precision = precision;
    measured.config.threads = options.threads > 0 ? options.threads : allowed_cpus();
    const auto [height, width] = image_size(options, weights);
    measured.shape = {options.batch, 3, height, width};
    // Says what is wrong with builder and size before a checkpoint is read or downloaded.
    engine_library().operations({.builder = measured.config.builder,
                                 .arguments = measured.config.arguments,
                                 .input_shape = measured.shape});
    if (!random)
        measured.config.checkpoint = interruptible([&weights] {
            return std::make_shared<const Checkpoint>(
                get_checkpoint(*weights, {.progress = InterruptGuard::progress()}));
        });
    measured.engine = engine_library().create(measured.config);
    measured.config.checkpoint.reset(); // the engine has what it needs
    measured.inputs.push_back({"input", random_tensor(measured.shape)});
    return measured;
}

std::string cpu_name() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
        const size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos)
            return line.substr(colon + 2);
    }
    return "unknown processor"; // Arm's kernels print none
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string heading(const Measured &measured, const MeasureOptions &options) {
    const int threads = measured.config.threads;
    const std::string device = measured.engine->device();
    const bool on_cpu = device == "cpu";
    std::string how = options.precision;
    if (on_cpu)
        how = fmt::format("{} thread{}, backend {}{}", threads, threads == 1 ? "" : "s",
                          options.backend, how == "fp32" ? "" : ", " + how);
    return fmt::format("{}, batch {}, {}×{}, {}\n{}\n", measured.model, measured.shape[0],
                       measured.shape[2], measured.shape[3], how, on_cpu ? cpu_name() : device);
}

} // namespace tvw::cli
