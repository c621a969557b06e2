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
#include <exception>
#include <utility>

namespace tvw {
namespace {

using namespace cpu;

float *first_of(const HostTensor &tensor) {
    return reinterpret_cast<float *>(tensor.storage()->data()) + tensor.offset();
}

/// Memory that a plan runs in.
class Workspace {
public:
    explicit Workspace(const Planned &planned)
        : arena_(aligned_floats(size_t(planned.arena.floats))), memory_(planned.buffers) {
        for (size_t i = 0; i < planned.buffers; ++i)
            memory_.place(BufferId(i), arena_.get() + planned.arena.offsets[i]);
        for (const auto &[buffer, tensor] : planned.constants)
            memory_.place(buffer, first_of(tensor));
    }

    void place(const View &input, float *data) { memory_.place(input.buffer, data); }
    const Memory &memory() const { return memory_; }

private:
    std::shared_ptr<float[]> arena_;
    Memory memory_;
};

/// Runs the steps with all threads for each, or does several images apart, each by one thread: no
/// thread waits for another then before the last image, and an image's values stay in its caches.
class CpuPlan : public Plan {
public:
    /// With more than one image, `planned` is of one image and one thread.
    CpuPlan(Planned planned, int64_t images);
    void run(PlanInputs inputs, std::vector<NamedTensor> &outputs) override;
    std::vector<NodeTime> profile(PlanInputs inputs, int rounds) override;

private:
    void pack_inputs(PlanInputs inputs);
    void place_inputs(Workspace &workspace, int64_t image) const;
    void prepare_outputs(std::vector<NamedTensor> &outputs) const;
    void run_image(Workspace &workspace, int64_t image, std::vector<NamedTensor> &outputs) const;

    Planned planned_;
    int64_t images_;
    std::vector<Shape> shapes_;                ///< of the outputs, all images together
    std::vector<Workspace> workspaces_;        ///< by member of the team
    std::vector<std::exception_ptr> failures_; ///< the same
    std::vector<const HostTensor *> inputs_;
    std::deque<HostTensor> packed_; ///< inputs that were not contiguous
};

CpuPlan::CpuPlan(Planned planned, int64_t images) : planned_(std::move(planned)), images_(images) {
    for (int i = 0; i < (images > 1 ? team_size() : 1); ++i)
        workspaces_.emplace_back(planned_);
    failures_.resize(workspaces_.size());
    for (const View &output : planned_.outputs) {
        shapes_.push_back(output.shape);
        if (images > 1)
            shapes_.back()[0] = images;
    }
}

void CpuPlan::pack_inputs(PlanInputs inputs) {
    packed_.clear();
    inputs_.assign(inputs.begin(), inputs.end());
    for (const HostTensor *&input : inputs_) {
        if (!input->is_contiguous())
            input = &packed_.emplace_back(input->contiguous());
    }
}

void CpuPlan::place_inputs(Workspace &workspace, int64_t image) const {
    for (size_t i = 0; i < planned_.inputs.size(); ++i) {
        const View &input = planned_.inputs[i];
        workspace.place(input, first_of(*inputs_[i]) + image * numel(input.shape));
    }
}

void CpuPlan::prepare_outputs(std::vector<NamedTensor> &outputs) const {
    outputs.resize(planned_.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i)
        claim_output(outputs[i], planned_.names[i], DType::kFloat32, shapes_[i]);
}

void CpuPlan::run_image(Workspace &workspace, int64_t image,
                        std::vector<NamedTensor> &outputs) const {
    place_inputs(workspace, image);
    for (const Step &step : planned_.steps) {
        set_team_size(step.threads);
        step.run(workspace.memory());
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
        const View &view = planned_.outputs[i];
        const int64_t count = numel(view.shape);
        std::copy_n(workspace.memory().at(view), count,
                    first_of(outputs[i].tensor) + image * count);
    }
}

void CpuPlan::run(PlanInputs inputs, std::vector<NamedTensor> &outputs) {
    pack_inputs(inputs);
    prepare_outputs(outputs);
    if (images_ == 1) {
        const TeamScope all(team_size());
        run_image(workspaces_[0], 0, outputs);
        return;
    }
    parallel(images_, [&](int64_t begin, int64_t end) {
        const auto member = size_t(team_member());
        const TeamScope alone(1);
        try {
            for (int64_t image = begin; image < end; ++image)
                run_image(workspaces_[member], image, outputs);
        } catch (...) { // of LibTorch
            failures_[member] = std::current_exception();
        }
    });
    for (std::exception_ptr &failure : failures_) {
        if (failure)
            std::rethrow_exception(std::exchange(failure, nullptr));
    }
}

std::vector<NodeTime> CpuPlan::profile(PlanInputs inputs, int rounds) {
    using Clock = std::chrono::steady_clock;
    const TeamScope team(team_size());
    pack_inputs(inputs);
    place_inputs(workspaces_[0], 0);
    std::vector<std::vector<double>> times(planned_.steps.size());
    for (int round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < planned_.steps.size(); ++i) {
            const Step &step = planned_.steps[i];
            const Clock::time_point begin = Clock::now();
            set_team_size(step.threads);
            step.run(workspaces_[0].memory());
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

std::unique_ptr<Plan> make_cpu_plan(Graph graph, cpu::PackCache &cache, int64_t images,
                                    Precision precision) {
    Planner planner(graph, cache, images > 1 ? 1 : team_size(), precision);
    for (ValueId id = 0; id < ValueId(graph.nodes().size()); ++id) {
        lower(planner, id);
        planner.release_constants(id);
    }
    return std::make_unique<CpuPlan>(planner.finish(), images);
}

} // namespace tvw
