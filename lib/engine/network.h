// SPDX-License-Identifier: LGPL-2.1-or-later
// A network with its parameters, and a plan for each input shape it has met.
#pragma once

#include "backends/backend.h"
#include "backends/cpu/pack_cache.h"
#include "engine/placement.h"
#include "models/models.h"

#include <tvw/engine.h>

#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tvw {

/// One thread at a time; what runs plans or drops them is called on the worker only.
class Network {
public:
    enum class Keep {
        kParameters, ///< for those who look at them
        kPacked,     ///< only what kernels read; for an input of another size they are read again
    };
    /// Reads every parameter; errors as EngineLibrary::create. Parameters may share their bytes
    /// with the checkpoint.
    explicit Network(const EngineConfig &config, Keep keep = Keep::kParameters,
                     const Placement &placement = {});

    const std::string &name() const { return builder_.name; }
    int64_t num_params() const { return count_parameters(builder_, arguments_); }
    const Placement &placement() const { return placement_; }
    /// What it was made from, but for the checkpoint, with another device.
    EngineConfig config_for(const Device &device) const;
    /// From here on it runs there; called where it ran so far.
    void move_to(const Placement &placement);
    /// The graph as built, for the usual input.
    std::string text() const;

    /// As Engine::run. Where a GPU has too little memory, plans for other sizes are dropped and it
    /// is tried once more.
    void run(const std::vector<NamedTensor> &inputs, std::vector<NamedTensor> &outputs);
    /// The same on a GPU for an input of this shape that `fill` writes there.
    void run_filled(const Shape &input, const FillInput &fill, std::vector<NamedTensor> &outputs);
    std::vector<NodeTime> profile(const std::vector<NamedTensor> &inputs, int rounds);

    /// Parameters and buffers in the order of construction.
    std::vector<NamedTensor> state_dict() const { return parameters_.tensors(); }
    /// Replaces all parameters by copies, in place unless `state_dict` asks for other shapes: false
    /// then. Error(kMismatch) as of a checkpoint, and nothing is changed.
    bool load_state_dict(const StateDict &state_dict);
    /// From here on nothing but this network uses the bytes of its parameters.
    void own_parameters() { parameters_.own(); }
    /// Parameters were changed in place; plans hold folded copies.
    void forget_plans() {
        plans_.clear();
        packed_ = {};
        converted_.reset();
    }

private:
    struct Planned {
        Shape input;
        int threads; ///< 0 on a GPU
        std::unique_ptr<Plan> plan;
    };
    /// What the network asks for, which does not depend on the input's size.
    nn::ParameterStore draw(const Arguments &arguments, nn::ParameterSource &source) const;
    /// The same from a checkpoint; adds to `arguments` what its shapes ask for.
    nn::ParameterStore read(Arguments &arguments, const StateDict &state_dict,
                            const std::string &file) const;
    void load(const Checkpoint *checkpoint);
    /// Where parameters were released. Error(kMismatch) if the file is another one by now.
    void load_again();
    std::unique_ptr<Plan> make_plan(const Shape &input);
    Planned &plan_for(const Shape &input);
    template<typename Call>
    void with_plan(const Shape &input, const Call &call);

    /// Where the parameters came from.
    struct Origin {
        EngineConfig config; ///< without the checkpoint, which holds their bytes
        std::filesystem::path path;
        std::string digest;
        std::string state_dict_key;
    };

    const nn::Builder &builder_;
    Arguments arguments_;
    Backend backend_;
    Placement placement_;
    Origin origin_;
    bool can_release_ = false;
    bool released_ = false;
    nn::ParameterStore parameters_; ///< empty while released
    cpu::PackCache packed_;         ///< weights as kernels want them
    /// Weights on the GPU; made for the first plan.
    std::shared_ptr<cuda::WeightCache> converted_;
    std::list<Planned> plans_; ///< the latest used first
};

} // namespace tvw
