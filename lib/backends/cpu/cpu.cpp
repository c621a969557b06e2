// SPDX-License-Identifier: LGPL-2.1-or-later
// The CPU backend: a graph as a list of kernel calls over one block of memory.
#include "backends/backend.h"
#include "backends/cpu/lower.h"
#include "backends/cpu/memory.h"
#include "backends/cpu/parallel.h"
#include "backends/outputs.h"

#include <tvw/error.h>

#include <algorithm>
#include <chrono>
#include <deque>

namespace tvw {
namespace {

using namespace cpu;

/// Puts back the number of threads that was set before.
class TeamScope {
public:
    TeamScope() : before_(team_size()) {}
    ~TeamScope() { set_team_size(before_); }
    TeamScope(const TeamScope &) = delete;
    TeamScope &operator=(const TeamScope &) = delete;

private:
    int before_;
};

class CpuPlan : public Plan {
public:
    explicit CpuPlan(Planned planned);
    void run(PlanInputs inputs, std::vector<NamedTensor> &outputs) override;
    std::vector<NodeTime> profile(PlanInputs inputs, int rounds) override;

private:
    void place_inputs(PlanInputs inputs);

    Planned planned_;
    std::shared_ptr<float[]> arena_;
    Memory memory_;
    std::deque<HostTensor> packed_; ///< inputs that were not contiguous
};

float *first_of(const HostTensor &tensor) {
    return reinterpret_cast<float *>(tensor.storage()->data()) + tensor.offset();
}

CpuPlan::CpuPlan(Planned planned)
    : planned_(std::move(planned)),
      arena_(aligned_floats(size_t(planned_.arena.floats))),
      memory_(planned_.buffers) {
    for (size_t i = 0; i < planned_.buffers; ++i)
        memory_.place(BufferId(i), arena_.get() + planned_.arena.offsets[i]);
    for (const auto &[buffer, tensor] : planned_.constants)
        memory_.place(buffer, first_of(tensor));
}

void CpuPlan::place_inputs(PlanInputs inputs) {
    packed_.clear();
    for (size_t i = 0; i < planned_.inputs.size(); ++i) {
        const HostTensor *input = inputs[i];
        if (!input->is_contiguous())
            input = &packed_.emplace_back(input->contiguous());
        memory_.place(planned_.inputs[i].buffer, first_of(*input));
    }
}

void CpuPlan::run(PlanInputs inputs, std::vector<NamedTensor> &outputs) {
    const TeamScope team;
    place_inputs(inputs);
    for (const Step &step : planned_.steps) {
        set_team_size(step.threads);
        step.run(memory_);
    }
    outputs.resize(planned_.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
        const View &view = planned_.outputs[i];
        auto *values = reinterpret_cast<float *>(
            claim_output(outputs[i], planned_.names[i], DType::kFloat32, view.shape));
        std::copy_n(memory_.at(view), numel(view.shape), values);
    }
}

std::vector<NodeTime> CpuPlan::profile(PlanInputs inputs, int rounds) {
    using Clock = std::chrono::steady_clock;
    const TeamScope team;
    place_inputs(inputs);
    std::vector<std::vector<double>> times(planned_.steps.size());
    for (int round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < planned_.steps.size(); ++i) {
            const Step &step = planned_.steps[i];
            const Clock::time_point begin = Clock::now();
            set_team_size(step.threads);
            step.run(memory_);
            times[i].push_back(
                std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        }
    }
    std::vector<NodeTime> nodes;
    for (size_t i = 0; i < planned_.steps.size(); ++i) {
        const Step &step = planned_.steps[i];
        double median = 0;
        if (rounds > 0) {
            std::ranges::nth_element(times[i], times[i].begin() + rounds / 2);
            median = times[i][size_t(rounds / 2)];
        }
        if (!nodes.empty() && nodes.back().node == step.name) { // further steps of one node
            nodes.back().kernel += " + " + step.kernel;
            nodes.back().median_ms += median;
            continue;
        }
        nodes.push_back(
            {step.name, step.op, step.kernel, step.reason, median, step.operations, step.shape});
    }
    return nodes;
}

} // namespace

bool cpu_takes(const Graph &graph) {
    // What depends on constants alone, as indices do, is computed beforehand.
    std::vector<bool> known(graph.nodes().size());
    for (size_t id = 0; id < known.size(); ++id) {
        const Node &node = graph.nodes()[id];
        const bool input = std::holds_alternative<op::Input>(node.op);
        known[id] = !input && std::ranges::all_of(node.inputs, [&](ValueId from) {
            return bool(known[size_t(from)]);
        });
        if (!known[id] && node.type.dtype != DType::kFloat32)
            return false;
    }
    return true;
}

std::unique_ptr<Plan> make_cpu_plan(Graph graph, cpu::PackCache &cache) {
    Planner planner(graph, cache, team_size());
    for (ValueId id = 0; id < ValueId(graph.nodes().size()); ++id) {
        lower(planner, id);
        planner.release_constants(id);
    }
    return std::make_unique<CpuPlan>(planner.finish());
}

} // namespace tvw
