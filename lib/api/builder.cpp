// SPDX-License-Identifier: LGPL-2.1-or-later
// Builders by name: from weights and arguments to a Model.
#include "api/model_impl.h"

#include <tvw/error.h>

#include <mutex>
#include <random>

namespace tvw {
namespace {

/// Where the seeds of random initialisations come from.
struct Seeds {
    std::mutex mutex;
    std::mt19937_64 next{std::random_device{}()};
};

Seeds &seeds() {
    static Seeds instance;
    return instance;
}

uint64_t next_seed() {
    const std::lock_guard lock(seeds().mutex);
    return seeds().next();
}

/// The enum of the network inside: ResNet50_Weights for fcn_resnet50.
const WeightsEnum &backbone_weights(const WeightsEnum &weights) {
    std::string longest;
    for (const std::string &name : list_models("classification")) {
        if (name.size() > longest.size() && weights.builder().find(name) != std::string::npos)
            longest = name;
    }
    return longest.empty() ? weights : get_model_weights(longest);
}

/// What torchvision's builders took before there were weights.
void refuse_pretrained(const WeightsEnum &weights, const Arguments &arguments) {
    const auto refuse = [&](const std::string &old, const char *now, const WeightsEnum &known) {
        if (arguments.contains(old))
            throw Error(ErrorKind::kInvalidArgument,
                        weights.builder() + ": '" + old + "' is no argument any more: write " +
                            now + " = " + known.name() +
                            "::DEFAULT, or std::nullopt\nfor random initialisation");
    };
    refuse("pretrained", ".weights", weights);
    refuse("pretrained_backbone", ".weights_backbone", backbone_weights(weights));
}

/// Errors in arguments come before a download, not after it.
void check_arguments(const nn::Builder &builder, const Arguments &arguments) {
    nn::ShapeSource shapes;
    build_graph(builder, arguments, builder.usual_input(arguments), shapes);
}

std::shared_ptr<const Checkpoint> read_checkpoint(const Weights &weights, bool progress) {
    auto checkpoint = std::make_shared<Checkpoint>();
    checkpoint->path = weights.name();
    checkpoint->state_dict = weights.get_state_dict(progress ? progress_bar() : Progress());
    return checkpoint;
}

} // namespace

std::optional<Weights> WeightsArgument::resolve(const WeightsEnum &weights,
                                                const Arguments &given) const {
    if (const auto *name = std::get_if<std::string>(&value_))
        return weights.verify(*name, given);
    if (const auto *member = std::get_if<Weights>(&value_))
        return weights.verify(*member, given);
    return std::nullopt;
}

Model ModelBuilder::operator()(const ModelOptions &options) const {
    const WeightsEnum &known = get_model_weights(name_);
    refuse_pretrained(known, options.arguments);
    const std::optional<Weights> weights = options.weights.resolve(known, options.arguments);
    EngineConfig config;
    if (weights)
        config = engine_config(*weights, options.arguments);
    else
        config.arguments = options.arguments;
    config.builder = known.builder();
    check_arguments(find_builder(config.builder), config.arguments);
    if (weights)
        config.checkpoint = read_checkpoint(*weights, options.progress);
    else
        config.seed = next_seed();
    Network network(config);
    config.checkpoint.reset(); // the network's only, where nothing else holds it
    network.own_parameters();
    return Model(std::make_shared<Model::Impl>(std::move(network)));
}

ModelBuilder get_model_builder(std::string_view name) {
    return ModelBuilder(get_model_weights(name).builder());
}

Model get_model(std::string_view name, const ModelOptions &options) {
    return get_model_builder(name)(options);
}

void manual_seed(uint64_t seed) {
    const std::lock_guard lock(seeds().mutex);
    seeds().next.seed(seed);
}

} // namespace tvw
