// SPDX-License-Identifier: LGPL-2.1-or-later
// A graph as calls of LibTorch's operators on one device, channels last, in one type of numbers.
#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

namespace tvw::cuda {

/// Constants on a device, once for all plans of a network.
struct WeightCache {
    std::map<std::string, at::Tensor> tensors; ///< the key names the constant and its type
};

/// Knows nothing of CUDA: on the CPU, where bfloat16 and tests are run, all is the same but for
/// cuDNN's fused convolutions.
class Program {
public:
    /// Takes the constants over: the graph lets go of what is on the device. Weights and what is
    /// computed are of `type`, a floating-point one.
    Program(Graph graph, at::Device device, at::ScalarType type, WeightCache &cache);

    /// Zeros on the device for each of the graph's inputs, in the type and layout that the first
    /// operations read: passed to run(), they cost no pass of their own.
    std::vector<at::Tensor> make_inputs() const;

    /// Enqueues everything. Inputs are on the device, one for each of the graph's, in any type and
    /// layout; outputs are what the graph says, contiguous on the device.
    std::vector<at::Tensor> run(const std::vector<at::Tensor> &inputs);

    const Graph &graph() const { return graph_; }

private:
    /// What belongs to one node, by its number.
    struct Step {
        std::vector<ValueId> released; ///< not read by any later node
        at::Tensor constant;           ///< where it is one
        at::Tensor rows;               ///< of an attention with rows: where each token is
        at::Tensor places;             ///< the other way round: which token each row is
        bool image = false; ///< has its channels last: what comes in, weights of convolutions
        bool fused = false; ///< cuDNN applies bias, residual and ReLU
    };
    void plan_lifetimes();
    void place(ValueId id, WeightCache &cache);
    at::Tensor call(ValueId id, const std::vector<at::Tensor> &arguments);

    Graph graph_;
    at::Device device_;
    at::ScalarType type_;
    std::vector<Step> steps_;
    std::vector<bool> needed_; ///< by node: leads to an output
};

} // namespace tvw::cuda
