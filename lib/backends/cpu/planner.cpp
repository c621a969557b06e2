// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/planner.h"

#include "backends/cpu/copy.h"
#include "graph/operations.h"

#include <algorithm>

namespace tvw::cpu {
namespace {

/// Below this, some microseconds of one thread, sharing costs more than it saves.
constexpr int64_t kLeastShared = 300'000;

template<typename T>
std::optional<T> found_in(const std::map<ValueId, T> &values, ValueId id) {
    const auto found = values.find(id);
    return found == values.end() ? std::nullopt : std::optional(found->second);
}

} // namespace

Planner::Planner(Graph &graph, PackCache &cache, int threads, Precision precision)
    : graph_(graph),
      cache_(cache),
      threads_(threads),
      precision_(precision),
      views_(graph.nodes().size()),
      placements_(place_parts(graph)),
      users_(graph.nodes().size()) {
    for (ValueId id = 0; id < ValueId(graph.nodes().size()); ++id) {
        const Node &node = graph.node(id);
        for (const ValueId input : node.inputs)
            users_[size_t(input)].push_back(id);
        if (std::holds_alternative<op::Input>(node.op)) {
            planned_.inputs.push_back(new_buffer(node.type.shape, row_major(node.type.shape)));
            views_[size_t(id)] = planned_.inputs.back();
        } else if (const auto *constant = std::get_if<op::Constant>(&node.op)) {
            constants_.emplace(id, constant->tensor);
            graph.forget_bytes(id);
        }
    }
    for (const auto &[name, id] : graph.outputs())
        users_[size_t(id)].push_back(-1);
}

const HostTensor *Planner::constant(ValueId id) const {
    const auto found = constants_.find(id);
    return found == constants_.end() ? nullptr : &found->second;
}

void Planner::set_constant(ValueId id, HostTensor tensor) {
    constants_.insert_or_assign(id, std::move(tensor));
}

void Planner::release_constants(ValueId last) {
    for (const ValueId input : graph_.node(last).inputs) {
        if (users(input).back() == last) // an output's -1 comes last
            constants_.erase(input);
    }
}

std::optional<View> Planner::sums(ValueId id) const {
    return found_in(sums_, id);
}

std::optional<Scaled> Planner::scaled(ValueId id) const {
    return found_in(scaled_, id);
}

std::optional<Expansion> Planner::expansion(ValueId id) const {
    return found_in(expansions_, id);
}

View Planner::new_buffer(Shape shape, std::vector<int64_t> strides) {
    const auto buffer = BufferId(sizes_.size());
    sizes_.push_back(numel(shape));
    return {buffer, 0, std::move(shape), std::move(strides)};
}

View Planner::scratch(int64_t floats) {
    return new_buffer({floats}, {1});
}

View Planner::view(ValueId id) {
    std::optional<View> &view = views_[size_t(id)];
    if (!view) { // a constant that is read as it is
        const HostTensor tensor = constants_.at(id).contiguous();
        view = new_buffer(tensor.shape(), row_major(tensor.shape()));
        planned_.constants.emplace(view->buffer, tensor);
    }
    return *view;
}

View Planner::copied(ValueId id, std::vector<int64_t> strides) {
    const View from = view(id);
    View to = new_buffer(from.shape, std::move(strides));
    copy(id, from, to);
    // Whoever reads it next probably wants it so too.
    views_[size_t(id)] = to;
    return to;
}

View Planner::as_image(ValueId id) {
    const View now = view(id);
    return pixel_stride(now) ? now : copied(id, channels_last(now.shape));
}

View Planner::as_rows(ValueId id) {
    const View now = view(id);
    return row_stride(now) ? now : copied(id, row_major(now.shape));
}

View Planner::as_row_major(ValueId id) {
    const View now = view(id);
    return is_row_major(now) ? now : copied(id, row_major(now.shape));
}

View Planner::as_dense(ValueId id) {
    const View now = view(id);
    return is_dense(now) ? now : copied(id, row_major(now.shape));
}

View Planner::result(ValueId id, const std::vector<int64_t> &strides) {
    const Shape &shape = graph_.type(id).shape;
    const auto placement = placements_.find(id);
    if (placement == placements_.end() || strides != channels_last(shape)) {
        views_[size_t(id)] = new_buffer(shape, strides);
        return *views_[size_t(id)];
    }
    const auto &[concat, start] = placement->second;
    const View place = sliced(join(concat), 1, start, start + shape[1], 1);
    placed_.emplace(id, place);
    views_[size_t(id)] = place;
    return place;
}

View Planner::join(ValueId concat) {
    auto joined = joined_.find(concat);
    if (joined == joined_.end()) {
        const Shape &shape = graph_.type(concat).shape;
        joined = joined_.emplace(concat, new_buffer(shape, channels_last(shape))).first;
    }
    return joined->second;
}

View Planner::place(ValueId id) {
    const auto placed = placed_.find(id);
    return placed == placed_.end() ? view(id) : placed->second;
}

std::optional<View> Planner::joined_in_place(ValueId concat) {
    const auto *op = std::get_if<op::Concat>(&graph_.node(concat).op);
    const std::vector<ValueId> &parts = graph_.node(concat).inputs;
    const auto dim = size_t(op->dim);
    View whole = place(parts[0]);
    for (size_t i = 1; i < parts.size(); ++i) {
        const View next = place(parts[i]);
        if (next.buffer != whole.buffer || next.strides != whole.strides ||
            next.offset != whole.offset + whole.shape[dim] * whole.strides[dim])
            return std::nullopt;
        whole.shape[dim] += next.shape[dim];
    }
    return whole;
}

View Planner::image_result(ValueId id) {
    return result(id, channels_last(graph_.type(id).shape));
}

View Planner::row_major_result(ValueId id) {
    return result(id, row_major(graph_.type(id).shape));
}

void Planner::alias(ValueId id, const View &view) {
    views_[size_t(id)] = view;
}

void Planner::copy(ValueId node, const View &from, const View &to) {
    const Copy copy = make_copy(from, to);
    add({.node = node,
         .kernel = "copy",
         .reason = "it must lie otherwise for those who read it",
         .reads = {from},
         .writes = {to},
         .run = [=](const Memory &memory) { copy.run(memory.at(from), memory.at(to)); }},
        numel(from.shape) * 8);
}

void Planner::add(Step step, int64_t operations) {
    const Node &node = graph_.node(step.node);
    step.threads = operations < kLeastShared ? 1 : threads_;
    step.name = node.name;
    step.op = op_name(node.op);
    step.shape = node.type.shape;
    step.operations += flops(graph_, step.node);
    planned_.steps.push_back(std::move(step));
}

Planned Planner::finish() {
    for (const auto &[name, id] : graph_.outputs()) {
        planned_.outputs.push_back(as_row_major(id));
        planned_.names.push_back(name);
    }
    planned_.buffers = sizes_.size();

    std::vector<Lifetime> lifetimes(sizes_.size());
    for (size_t i = 0; i < sizes_.size(); ++i)
        lifetimes[i] = {sizes_[i], int(planned_.steps.size()), -1};
    const auto use = [&](const View &view, int step) {
        Lifetime &lifetime = lifetimes[size_t(view.buffer)];
        lifetime.first = std::min(lifetime.first, step);
        lifetime.last = std::max(lifetime.last, step);
    };
    for (size_t i = 0; i < planned_.steps.size(); ++i) {
        for (const View &view : planned_.steps[i].reads)
            use(view, int(i));
        for (const View &view : planned_.steps[i].writes)
            use(view, int(i));
    }
    for (const View &view : planned_.outputs)
        use(view, int(planned_.steps.size()));
    // The caller's and the network's own memory.
    for (const View &view : planned_.inputs)
        lifetimes[size_t(view.buffer)].last = -1;
    for (const auto &[buffer, tensor] : planned_.constants)
        lifetimes[size_t(buffer)].last = -1;
    planned_.arena = lay_out(lifetimes);
    return std::move(planned_);
}

} // namespace tvw::cpu
