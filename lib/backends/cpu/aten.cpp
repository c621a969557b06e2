// SPDX-License-Identifier: LGPL-2.1-or-later
// LibTorch's operators, for what has no kernel of its own and for what is computed beforehand.
#include "backends/cpu/lower.h"

#include "backends/convert.h"
#include "backends/reference/operators.h"
#include "base/log.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <mutex>
#include <set>

namespace tvw::cpu {
namespace {

at::Tensor tensor_of(const View &view, const Memory &memory) {
    return at::from_blob(memory.at(view), view.shape, view.strides, at::TensorOptions(at::kFloat));
}

void say_once(const std::string &name, const Node &node) {
    static std::mutex mutex;
    static std::set<std::string, std::less<>> said;
    const std::string operation(op_name(node.op));
    {
        const std::lock_guard lock(mutex);
        if (!said.insert(operation).second)
            return;
    }
    log(LogLevel::kInfo, name + ": no kernel takes " + node.name + " (" + operation + " " +
                             op_attributes(node.op) + "): it runs on LibTorch's operators");
}

} // namespace

void lower_aten(Planner &planner, ValueId id) {
    const Graph &graph = planner.graph();
    const Node &node = graph.node(id);
    say_once(graph.name(), node);
    std::vector<View> inputs;
    for (const ValueId input : node.inputs)
        inputs.push_back(planner.view(input));
    const View result = planner.row_major_result(id);
    planner.add({.node = id,
                 .kernel = "LibTorch",
                 .reason = "no kernel takes it",
                 .reads = inputs,
                 .writes = {result},
                 .run =
                     [=, op = node.op](const Memory &memory) {
                         const c10::InferenceMode inference;
                         std::vector<at::Tensor> tensors;
                         for (const View &input : inputs)
                             tensors.push_back(tensor_of(input, memory));
                         tensor_of(result, memory).copy_(call_operator(op, tensors, {}));
                     }},
                numel(node.type.shape) * 100);
}

bool fold_constant(Planner &planner, ValueId id) {
    const Node &node = planner.graph().node(id);
    if (node.inputs.empty() || !std::ranges::all_of(node.inputs, [&](ValueId input) {
            return planner.constant(input) != nullptr;
        }))
        return false;
    const c10::InferenceMode inference;
    std::vector<at::Tensor> tensors;
    for (const ValueId input : node.inputs)
        tensors.push_back(*planner.constant(input));
    planner.set_constant(id, from_aten(call_operator(node.op, tensors, {})));
    return true;
}

} // namespace tvw::cpu
