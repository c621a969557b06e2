// SPDX-License-Identifier: LGPL-2.1-or-later
// The CPU backend: a graph as a list of kernel calls over one block of memory.
#include "backends/backend.h"
#include "backends/cpu/lower.h"
#include "backends/cpu/memory.h"
#include "backends/cpu/parallel.h"

#include <tvw/error.h>

#include <algorithm>
#include <chrono>
#include <cstring>

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
    std::vector<HostTensor> run(const std::vector<HostTensor> &inputs) override;
    std::vector<NodeTime> profile(const std::vector<HostTensor> &inputs, int rounds) override;

private:
    void place_inputs(const std::vector<HostTensor> &inputs);

    Planned planned_;
    std::shared_ptr<float[]> arena_;
    Memory memory_;
    std::vector<HostTensor> contiguous_; ///< inputs that had to be packed
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

void CpuPlan::place_inputs(const std::vector<HostTensor> &inputs) {
    contiguous_.clear();
    for (size_t i = 0; i < planned_.inputs.size(); ++i) {
        contiguous_.push_back(inputs.at(i).contiguous());
        memory_.place(planned_.inputs[i].buffer, first_of(contiguous_.back()));
    }
}

std::vector<HostTensor> CpuPlan::run(const std::vector<HostTensor> &inputs) {
    const TeamScope team;
    place_inputs(inputs);
    for (const Step &step : planned_.steps) {
        set_team_size(step.threads);
        step.run(memory_);
    }
    std::vector<HostTensor> outputs;
    for (const View &view : planned_.outputs) {
        outputs.push_back(HostTensor::zeros(DType::kFloat32, view.shape));
        const auto values = outputs.back().mutable_values<float>();
        std::copy_n(memory_.at(view), values.size(), values.data());
    }
    return outputs;
}

} // namespace

std::vector<NodeTime> CpuPlan::profile(const std::vector<HostTensor> &inputs, int rounds) {
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
        std::ranges::nth_element(times[i], times[i].begin() + rounds / 2);
        const double median = times[i][size_t(rounds / 2)];
        if (!nodes.empty() && nodes.back().node == step.name) { // further steps of one node
            nodes.back().kernel += " + " + step.kernel;
            nodes.back().median_ms += median;
            continue;
        }
        nodes.push_back({step.name, step.op, step.kernel, median, step.operations, step.shape});
    }
    return nodes;
}

bool cpu_takes(const Graph &graph) {
    return std::ranges::none_of(graph.nodes(), [](const Node &node) {
        return node.type.dtype != DType::kFloat32 && !std::holds_alternative<op::Constant>(node.op);
    });
}

std::unique_ptr<Plan> make_cpu_plan(const Graph &graph, cpu::PackCache &cache) {
    Planner planner(graph, cache, team_size());
    for (ValueId id = 0; id < ValueId(graph.nodes().size()); ++id)
        lower(planner, id);
    return std::make_unique<CpuPlan>(planner.finish());
}

} // namespace tvw
