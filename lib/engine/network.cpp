// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/network.h"

#include "backends/cuda/gpu.h"
#include "base/log.h"
#include "passes/pass.h"

#include <tvw/error.h>

#include <fmt/format.h>

namespace tvw {
namespace {

/// LibTorch and its libraries keep memory for every shape, so a model serves few at a time.
constexpr size_t kMostPlans = 4;

const HostTensor &only_input(const std::string &builder, const std::vector<NamedTensor> &inputs) {
    if (inputs.size() != 1 || inputs[0].name != "input")
        throw Error(ErrorKind::kInvalidArgument, builder + " takes one tensor, named \"input\"");
    if (inputs[0].tensor.dtype() != DType::kFloat32)
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("{}: \"input\" is {}, expected float32", builder,
                                dtype_name(inputs[0].tensor.dtype())));
    return inputs[0].tensor;
}

/// Whether images are computed apart, each by one thread: where threads get equally many, or so
/// many that one more or less is little.
int64_t images_apart(const Shape &input, int threads) {
    const int64_t batch = input.empty() ? 0 : input[0];
    return batch > 1 && (batch % threads == 0 || batch >= 4 * int64_t{threads}) ? batch : 1;
}

} // namespace

Network::Network(const EngineConfig &config, Keep keep, const Placement &placement)
    : builder_(find_builder(config.builder)),
      arguments_(config.arguments),
      backend_(config.backend),
      placement_(placement),
      origin_{config, {}, {}, {}} {
    load(config.checkpoint.get());
    origin_.config.checkpoint.reset();
    if (config.checkpoint) {
        origin_.path = config.checkpoint->path;
        origin_.digest = config.checkpoint->digest;
        origin_.state_dict_key = config.checkpoint->state_dict_key;
    }
    const bool found_again = !origin_.path.empty() && !origin_.digest.empty();
    can_release_ = keep == Keep::kPacked && (!config.checkpoint || found_again);
}

void Network::load(const Checkpoint *checkpoint) {
    const EngineConfig &config = origin_.config;
    if (checkpoint == nullptr) {
        nn::RandomSource source(config.seed);
        parameters_ = draw(arguments_, source);
        return;
    }
    parameters_ = read(arguments_, checkpoint->state_dict.without_prefix(config.strip_prefix),
                       checkpoint->path.filename().string());
    if (config.given && builder_.hooks.reduce != nullptr) {
        builder_.hooks.reduce(arguments_, *config.given);
        parameters_ = draw(arguments_, parameters_);
    }
}

void Network::load_again() {
    if (!released_)
        return;
    arguments_ = origin_.config.arguments;
    if (origin_.path.empty()) {
        load(nullptr);
    } else {
        const Checkpoint checkpoint =
            load_checkpoint(origin_.path, {.state_dict_key = origin_.state_dict_key});
        if (checkpoint.digest != origin_.digest)
            throw Error(ErrorKind::kMismatch,
                        fmt::format("{} was replaced while {} is in use, which needs it for "
                                    "another size of input; load the model anew",
                                    origin_.path.filename().string(), builder_.name));
        load(&checkpoint);
    }
    released_ = false;
}

nn::ParameterStore Network::draw(const Arguments &arguments, nn::ParameterSource &source) const {
    nn::ParameterStore store;
    store.set_source(&source);
    build_graph(builder_, arguments, builder_.usual_input(arguments), store);
    store.set_source(nullptr);
    return store;
}

nn::ParameterStore Network::read(Arguments &arguments, const StateDict &state_dict,
                                 const std::string &file) const {
    nn::CheckpointSource source(state_dict, builder_.hooks.rename_key);
    if (builder_.hooks.adapt != nullptr)
        builder_.hooks.adapt(arguments, [&](std::string_view key) { return source.shape(key); });
    nn::ParameterStore store = draw(arguments, source);
    source.finish(builder_.name, file);
    return store;
}

bool Network::load_state_dict(const StateDict &state_dict) {
    Arguments arguments = arguments_;
    nn::ParameterStore loaded = read(arguments, state_dict, "the state dict");
    forget_plans();
    if (arguments == arguments_) {
        parameters_.copy_values(loaded);
        return true;
    }
    loaded.own();
    parameters_ = std::move(loaded);
    arguments_ = std::move(arguments);
    return false;
}

std::string Network::text() const {
    nn::ShapeSource shapes;
    return to_text(build_graph(builder_, arguments_, builder_.usual_input(arguments_), shapes));
}

EngineConfig Network::config_for(const Device &device) const {
    EngineConfig config = origin_.config;
    config.device = device;
    return config;
}

void Network::move_to(const Placement &placement) {
    forget_plans();
    placement_ = placement;
}

std::unique_ptr<Plan> Network::make_plan(const Shape &input) {
    load_again();
    Graph graph = build_graph(builder_, arguments_, input, parameters_);
    const bool reference = backend_ == Backend::kReference;
    const bool on_gpu = placement_.gpu != nullptr;
    const bool taken_over = on_gpu || (!reference && cpu_takes(graph));
    const int64_t images = taken_over && !on_gpu ? images_apart(input, backend_threads()) : 1;
    if (images > 1) {
        Shape one = input;
        one[0] = 1;
        graph = build_graph(builder_, arguments_, one, parameters_);
    }
    if (taken_over && can_release_) {
        // From here on the graph alone holds them, and lets each go when it is packed.
        parameters_ = {};
        released_ = true;
    }
    if (!reference)
        graph = run_passes(std::move(graph));
    if (on_gpu) {
        if (!converted_)
            converted_ = make_weight_cache();
        return make_cuda_plan(std::move(graph), *placement_.gpu, placement_.precision, *converted_);
    }
    return taken_over ? make_cpu_plan(std::move(graph), packed_, images, placement_.precision)
                      : make_reference_plan(graph);
}

Network::Planned &Network::plan_for(const Shape &input) {
    const int threads = placement_.gpu != nullptr ? 0 : backend_threads();
    for (auto it = plans_.begin(); it != plans_.end(); ++it) {
        if (it->input == input && it->threads == threads) {
            plans_.splice(plans_.begin(), plans_, it);
            return plans_.front();
        }
    }
    plans_.push_front({input, threads, make_plan(input)});
    if (plans_.size() > kMostPlans)
        plans_.pop_back();
    return plans_.front();
}

template<typename Call>
void Network::with_plan(const Shape &input, const Call &call) {
    const auto run = [&] { call(*plan_for(input).plan); };
    try {
        return run();
    } catch (const cuda::OutOfMemory &error) {
        log(LogLevel::kWarning,
            fmt::format("{}: once more without what is kept for other sizes", error.what()));
    }
    plans_.clear();
    placement_.gpu->session().empty_cache();
    run();
}

void Network::run(const std::vector<NamedTensor> &inputs, std::vector<NamedTensor> &outputs) {
    const HostTensor *input = &only_input(builder_.name, inputs);
    with_plan(input->shape(), [&](Plan &plan) { plan.run({&input, 1}, outputs); });
}

void Network::run_filled(const Shape &input, const FillInput &fill,
                         std::vector<NamedTensor> &outputs) {
    with_plan(input, [&](Plan &plan) { plan.run_filled(fill, outputs); });
}

std::vector<NodeTime> Network::profile(const std::vector<NamedTensor> &inputs, int rounds) {
    const HostTensor *input = &only_input(builder_.name, inputs);
    return plan_for(input->shape()).plan->profile({&input, 1}, rounds);
}

} // namespace tvw
