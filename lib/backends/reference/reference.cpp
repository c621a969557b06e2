// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a graph node by node on LibTorch.
#include "backends/backend.h"
#include "backends/convert.h"
#include "backends/reference/operators.h"
#include "backends/reference/quantized.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

namespace tvw {
namespace {

/// What is read when the node runs: of packed layers x alone.
std::span<const ValueId> run_inputs(const Node &node) {
    return std::span(node.inputs).first(is_packed(node.op) ? 1 : node.inputs.size());
}

class ReferencePlan : public Plan {
public:
    explicit ReferencePlan(const Graph &graph);
    void run(PlanInputs inputs, std::vector<NamedTensor> &outputs) override;

private:
    void plan_lifetimes();
    c10::IValue pack(const Node &node) const;
    void release_after(ValueId id, std::vector<at::Tensor> &values) const;

    Graph graph_;
    std::vector<ValueId> inputs_;
    std::optional<QuantizedEngine> engine_;
    std::vector<at::Tensor> constants_; ///< by node; undefined for what is computed
    std::vector<c10::IValue> packed_;   ///< by node; None for what is not packed
    std::vector<ValueId> last_use_;     ///< by node; -1: leads to no output, so is not computed
};

ReferencePlan::ReferencePlan(const Graph &graph)
    : graph_(graph),
      engine_(engine_of(graph)),
      constants_(graph.nodes().size()),
      packed_(graph.nodes().size()),
      last_use_(graph.nodes().size(), -1) {
    plan_lifetimes();
    const EngineScope engine(engine_);
    for (ValueId id = 0; id < ValueId(graph_.nodes().size()); ++id) {
        const Node &node = graph_.node(id);
        if (std::holds_alternative<op::Input>(node.op))
            inputs_.push_back(id);
        if (last_use_[size_t(id)] < 0)
            continue;
        if (const auto *constant = std::get_if<op::Constant>(&node.op))
            constants_[size_t(id)] = constant->tensor;
        if (is_packed(node.op))
            packed_[size_t(id)] = pack(node);
    }
}

c10::IValue ReferencePlan::pack(const Node &node) const {
    const auto parameter = [&](size_t input) -> const HostTensor & {
        return std::get<op::Constant>(graph_.node(node.inputs[input]).op).tensor;
    };
    return pack_layer(node.op, parameter(1), parameter(2));
}

void ReferencePlan::plan_lifetimes() {
    const auto end = ValueId(graph_.nodes().size());
    for (const auto &[name, id] : graph_.outputs())
        last_use_[size_t(id)] = end;
    for (ValueId id = end; id-- > 0;) {
        if (last_use_[size_t(id)] < 0)
            continue;
        for (const ValueId input : run_inputs(graph_.node(id)))
            last_use_[size_t(input)] = std::max(last_use_[size_t(input)], id);
    }
}

/// Frees what no later node reads, so that a run holds no more than it must.
void ReferencePlan::release_after(ValueId id, std::vector<at::Tensor> &values) const {
    for (const ValueId input : run_inputs(graph_.node(id))) {
        if (last_use_[size_t(input)] == id)
            values[size_t(input)].reset();
    }
}

void ReferencePlan::run(PlanInputs inputs, std::vector<NamedTensor> &outputs) {
    const c10::InferenceMode inference;
    const EngineScope engine(engine_);
    std::vector<at::Tensor> values = constants_;
    for (size_t i = 0; i < inputs_.size(); ++i)
        values[size_t(inputs_[i])] = inputs[i]->contiguous();
    std::vector<at::Tensor> arguments;
    for (ValueId id = 0; id < ValueId(graph_.nodes().size()); ++id) {
        if (values[size_t(id)].defined() || last_use_[size_t(id)] < 0)
            continue;
        arguments.clear();
        for (const ValueId input : run_inputs(graph_.node(id)))
            arguments.push_back(values[size_t(input)]);
        values[size_t(id)] = call_operator(graph_.node(id).op, arguments, packed_[size_t(id)]);
        release_after(id, values);
    }
    outputs.clear();
    for (const auto &[name, id] : graph_.outputs())
        outputs.push_back({name, from_aten(values[size_t(id)])});
}

} // namespace

std::unique_ptr<Plan> make_reference_plan(const Graph &graph) {
    return std::make_unique<ReferencePlan>(graph);
}

} // namespace tvw
