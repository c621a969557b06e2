// SPDX-License-Identifier: LGPL-2.1-or-later
// What a Model is a handle to.
#pragma once

#include "engine/network.h"

#include <tvw/model.h>

namespace tvw {

/// Everything that touches tensors runs on the worker, and so in the order of the calls.
class Model::Impl {
public:
    /// The network owns its parameters: nobody else may see them change.
    explicit Impl(Network network) : network_(std::move(network)) {}

    const std::string &name() const { return network_.name(); }
    int64_t num_params();
    std::string text();

    void move_to(const Device &device);
    at::Tensor run(const at::Tensor &input);
    NamedTensors state_dict();
    void load_state_dict(const StateDict &state_dict);

private:
    void notice_changes();

    Network network_;
    NamedTensors exposed_; ///< what state_dict() gave out; empty before
    uint32_t changes_ = 0; ///< those of exposed_ that the plans know of
};

} // namespace tvw
