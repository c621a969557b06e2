// SPDX-License-Identifier: LGPL-2.1-or-later
// A network with its parameters, and a plan for each input shape it has met.
#pragma once

#include "backends/backend.h"
#include "models/models.h"

#include <tvw/engine.h>

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tvw {

/// Shared by all engines of equal configuration. `run` is called on the worker only.
class Model {
public:
    /// Reads every parameter; errors as EngineLibrary::create.
    explicit Model(const EngineConfig &config);

    std::vector<NamedTensor> run(const std::vector<NamedTensor> &inputs);
    int64_t num_params() const { return parameters_.num_params(); }

    /// The model of this configuration, made unless one is in use already.
    static std::shared_ptr<Model> shared(const EngineConfig &config);

private:
    struct Planned {
        Shape input;
        std::vector<std::string> outputs;
        std::unique_ptr<Plan> plan;
    };
    void load(const EngineConfig &config);
    /// Draws every parameter; what they are does not depend on the input's size.
    void build_with(nn::ParameterSource &source);
    Planned &plan_for(const Shape &input);

    const nn::Builder &builder_;
    Arguments arguments_;
    Backend backend_;
    nn::ParameterStore parameters_;
    std::list<Planned> plans_; ///< the latest used first
};

} // namespace tvw
