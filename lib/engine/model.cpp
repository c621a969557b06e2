// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/model.h"

#include "passes/pass.h"

#include <tvw/error.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <mutex>

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

struct ArgumentText {
    std::string operator()(std::monostate /*none*/) const { return "None"; }
    std::string operator()(const std::string &text) const { return fmt::format("{:?}", text); }
    template<typename T>
    std::string operator()(const std::vector<T> &list) const {
        return fmt::format("[{}]", fmt::join(list, ","));
    }
    template<typename T>
    std::string operator()(T value) const {
        return fmt::format("{}", value);
    }
};

/// Equal for configurations that compute the same.
std::string sharing_key(const EngineConfig &config) {
    std::string key = config.builder;
    for (const auto &[name, value] : config.arguments)
        key += fmt::format(" {}={}", name, std::visit(ArgumentText{}, value));
    if (!config.checkpoint)
        return fmt::format("{} seed={} backend={}", key, config.seed, int(config.backend));
    return fmt::format("{} {} state_dict={:?} prefix={:?} backend={}", key,
                       config.checkpoint->digest, config.checkpoint->state_dict_key,
                       config.strip_prefix, int(config.backend));
}

/// One for each key that was ever asked for; holds the model only as long as somebody uses it.
struct Slot {
    std::mutex building; ///< held while the model is made, so that a second caller waits for it
    std::weak_ptr<Model> model;
};

std::shared_ptr<Slot> slot_for(const std::string &key) {
    static std::mutex mutex;
    static std::map<std::string, std::shared_ptr<Slot>> slots;
    const std::lock_guard lock(mutex);
    std::erase_if(slots, [](const auto &entry) {
        return entry.second.use_count() == 1 && entry.second->model.expired();
    });
    std::shared_ptr<Slot> &slot = slots[key];
    if (!slot)
        slot = std::make_shared<Slot>();
    return slot;
}

} // namespace

std::shared_ptr<Model> Model::shared(const EngineConfig &config) {
    // Without a digest nothing tells whether two checkpoints are the same.
    if (config.checkpoint && config.checkpoint->digest.empty())
        return std::make_shared<Model>(config);
    const std::shared_ptr<Slot> slot = slot_for(sharing_key(config));
    const std::lock_guard lock(slot->building);
    std::shared_ptr<Model> model = slot->model.lock();
    if (!model) {
        model = std::make_shared<Model>(config);
        slot->model = model;
    }
    return model;
}

Model::Model(const EngineConfig &config)
    : builder_(find_builder(config.builder)),
      arguments_(config.arguments),
      backend_(config.backend) {
    load(config);
}

void Model::build_with(nn::ParameterSource &source) {
    parameters_.set_source(&source);
    build_graph(builder_, arguments_, builder_.usual_input(arguments_), parameters_);
    parameters_.set_source(nullptr);
}

void Model::load(const EngineConfig &config) {
    if (!config.checkpoint) {
        nn::RandomSource source(config.seed);
        build_with(source);
        return;
    }
    const StateDict stripped = config.checkpoint->state_dict.without_prefix(config.strip_prefix);
    nn::CheckpointSource source(stripped, builder_.hooks.rename_key);
    if (builder_.hooks.adapt != nullptr)
        builder_.hooks.adapt(arguments_, [&](std::string_view key) { return source.shape(key); });
    build_with(source);
    source.finish(builder_.name, config.checkpoint->path.filename().string());
}

Model::Planned &Model::plan_for(const Shape &input) {
    for (auto it = plans_.begin(); it != plans_.end(); ++it) {
        if (it->input == input) {
            plans_.splice(plans_.begin(), plans_, it);
            return plans_.front();
        }
    }
    Graph graph = build_graph(builder_, arguments_, input, parameters_);
    if (backend_ != Backend::kReference)
        graph = run_passes(graph);
    Planned planned{input, {}, make_reference_plan(graph)};
    for (const auto &[name, id] : graph.outputs())
        planned.outputs.push_back(name);
    plans_.push_front(std::move(planned));
    if (plans_.size() > kMostPlans)
        plans_.pop_back();
    return plans_.front();
}

std::vector<NamedTensor> Model::run(const std::vector<NamedTensor> &inputs) {
    const HostTensor &input = only_input(builder_.name, inputs);
    Planned &planned = plan_for(input.shape());
    std::vector<HostTensor> results = planned.plan->run({input});
    std::vector<NamedTensor> outputs;
    for (size_t i = 0; i < results.size(); ++i)
        outputs.push_back({planned.outputs[i], std::move(results[i])});
    return outputs;
}

} // namespace tvw
