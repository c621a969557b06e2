// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw run: a network on a tensor from a file, its outputs into another.
#include "command.h"
#include "interrupt.h"
#include "json.h"

#include <tvw/checkpoint.h>
#include <tvw/engine.h>
#include <tvw/error.h>
#include <tvw/hub.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <optional>

namespace tvw::cli {
namespace {

struct RunOptions {
    std::string model;
    std::string weights = "none";
    std::string checkpoint;
    std::string state_dict_key;
    uint64_t seed = 0;
    std::vector<std::string> settings;
    std::string backend = "auto";
    std::string device = "auto";
    std::string precision = "fp32";
    int threads = 0;
    std::string input;
    std::string output;
};

/// None where the parameters come from --checkpoint or from random numbers.
std::optional<Weights> chosen_weights(const RunOptions &options, const Arguments &arguments) {
    if (!options.checkpoint.empty() || options.weights == "none")
        return std::nullopt;
    // "DEFAULT" and "IMAGENET1K_V2" mean a member of the model's own enum, as in Python.
    const bool member = options.weights.find_first_of("./") == std::string::npos;
    const WeightsEnum &known = get_model_weights(options.model);
    return member ? known.verify(options.weights, arguments)
                  : known.verify(find_weights(options.weights), arguments);
}

/// What the builder is called with: the arguments of --set, with those of the weights if they are
/// where the parameters come from.
EngineConfig called_with(const RunOptions &options, const std::optional<Weights> &weights,
                         const Arguments &arguments) {
    EngineConfig config;
    if (weights)
        config = engine_config(*weights, arguments);
    else
        config.arguments = arguments;
    config.builder = get_model_weights(options.model).builder(); // perhaps the quantized one of two
    config.seed = options.seed;
    config.backend = parse_backend(options.backend);
    config.device = parse_device(options.device);
    config.precision = parse_precision(options.precision);
    config.threads = options.threads;
    return config;
}

std::shared_ptr<const Checkpoint> read_checkpoint(const RunOptions &options,
                                                  const std::optional<Weights> &weights) {
    if (weights)
        return interruptible([&weights] {
            return std::make_shared<const Checkpoint>(
                get_checkpoint(*weights, {.progress = InterruptGuard::progress()}));
        });
    if (options.checkpoint.empty())
        return nullptr;
    return std::make_shared<const Checkpoint>(
        load_checkpoint(options.checkpoint, {.state_dict_key = options.state_dict_key}));
}

/// Whatever may be wrong with the options is said before anything is read or downloaded.
EngineConfig make_config(const RunOptions &options) {
    Arguments arguments;
    for (const std::string &setting : options.settings)
        arguments.insert(parse_argument(setting));
    const std::optional<Weights> weights = chosen_weights(options, arguments);
    EngineConfig config = called_with(options, weights, arguments);
    config.checkpoint = read_checkpoint(options, weights);
    return config;
}

HostTensor read_input(const std::string &file) {
    const Checkpoint inputs = load_checkpoint(file, {.limits = {}, .digest = false});
    const StateValue *value = inputs.state_dict.find("input");
    const auto *tensor = value == nullptr ? nullptr : std::get_if<HostTensor>(value);
    if (tensor == nullptr)
        throw Error(ErrorKind::kInvalidArgument, file + " holds no tensor named \"input\"");
    return *tensor;
}

void run(const RunOptions &options, const Context &context) {
    const EngineConfig config = make_config(options);
    const std::vector<NamedTensor> inputs{{"input", read_input(options.input)}};
    const std::unique_ptr<Engine> engine = engine_library().create(config);
    const std::vector<NamedTensor> outputs = engine->run(inputs);
    save_safetensors(options.output, outputs);

    nlohmann::ordered_json report{{"model", config.builder},
                                  {"digest", nullptr},
                                  {"num_params", engine->num_params()},
                                  {"outputs", nlohmann::ordered_json::array()}};
    if (config.checkpoint)
        report["digest"] = config.checkpoint->digest;
    for (const auto &[name, tensor] : outputs)
        report["outputs"].push_back(
            {{"name", name}, {"dtype", dtype_name(tensor.dtype())}, {"shape", tensor.shape()}});
    if (context.json) {
        fmt::print("{}\n", dump(report));
        return;
    }
    for (const auto &[name, tensor] : outputs)
        fmt::print("{}: {} {}\n", name, dtype_name(tensor.dtype()), shape_text(tensor.shape()));
}

} // namespace

void add_run(CLI::App &app, Context &context) {
    auto options = std::make_shared<RunOptions>();
    CLI::App *command =
        add_command(app, context, "run", "Run a model on a tensor from a safetensors file");
    command->add_option("model", options->model, "A builder's name")->required();
    command->add_option("--weights", options->weights,
                        "A member of the model's weights, a descriptor, or none");
    CLI::Option *checkpoint =
        command->add_option("--checkpoint", options->checkpoint, "A file to load strictly instead");
    command
        ->add_option("--state-dict", options->state_dict_key,
                     "The key under which --checkpoint holds the state dict")
        ->needs(checkpoint);
    command->add_option("--seed", options->seed, "Of the random initialisation");
    command->add_option("--set", options->settings, "An argument of the builder, name=value")
        ->allow_extra_args(false);
    command->add_option("--backend", options->backend, "auto or reference");
    command->add_option("--device", options->device, "auto, cpu or cuda:N");
    command->add_option("--precision", options->precision, "fp32, tf32, fp16 or bf16");
    command->add_option("--threads", options->threads, "0: one per CPU")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--input", options->input, "A file with the tensor \"input\"")->required();
    command->add_option("--output", options->output, "The file to write")->required();
    command->callback([options, &context] { run(*options, context); });
}

} // namespace tvw::cli
