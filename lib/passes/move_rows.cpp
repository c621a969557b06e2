// SPDX-License-Identifier: LGPL-2.1-or-later
// Moves what only rearranges rows (permutations between [N, C, H, W] and [N, H, W, C], the cutting
// of images into windows, shifts) behind operations that treat every row alike, until it meets its
// inverse and both vanish. Attention within windows reads its rows from where they lie in the image
// instead. A rearrangement is a walk over a whole value, and keeps a layer from adding a residual
// that is in another order.
#include "passes/match.h"
#include "passes/pass.h"
#include "passes/row_order.h"

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace tvw {
namespace {

/// A value as rows of one of the new graph.
struct Moved {
    ValueId base; ///< [..., C]
    std::shared_ptr<const RowOrder> order;
};

/// Queries, keys or values of [B, H, T, D], cut from a joint projection.
struct Part {
    ValueId joint; ///< [B, T, parts · H · D]
    int64_t index;
    Shape split;                ///< [B, T, parts, H, D]
    std::vector<ValueId> after; ///< what is done to each head's rows, the last one first
};

template<typename... Wanted>
bool is_any(const Op &op) {
    return (std::holds_alternative<Wanted>(op) || ...);
}

/// One number for each head of [B, H, T, D].
bool is_head_factor(const Shape &factor, int64_t heads) {
    const size_t rank = factor.size();
    return rank >= 3 && factor[rank - 1] == 1 && factor[rank - 2] == 1 &&
           factor[rank - 3] == heads && numel(factor) == heads;
}

class Mover {
public:
    explicit Mover(const Graph &graph)
        : graph_(graph), moved_(graph.nodes().size()), axes_(graph.nodes().size()) {}

    ValueId visit(Rewriter &rewriter, ValueId id);

private:
    using Axis = std::optional<size_t>;

    const Shape &shape(ValueId id) const { return graph_.type(id).shape; }
    const Moved *moved(ValueId id) const {
        const auto &entry = moved_[size_t(id)];
        return entry ? &*entry : nullptr;
    }
    ValueId keep(Rewriter &rewriter, ValueId id, Moved value);
    Axis axis_of(const Node &node) const;
    std::optional<Moved> start(Rewriter &rewriter, ValueId id) const;

    ValueId rearrange(Rewriter &rewriter, ValueId id);
    ValueId row_by_row(Rewriter &rewriter, ValueId id);
    ValueId join(Rewriter &rewriter, ValueId id);
    std::optional<ValueId> join_with(Rewriter &rewriter, const Moved &value, ValueId other) const;
    std::optional<ValueId> channel_operand(Rewriter &rewriter, const Moved &value,
                                           ValueId other) const;
    ValueId attend(Rewriter &rewriter, ValueId id);
    std::optional<Part> part_of(ValueId id) const;
    ValueId cut(Rewriter &rewriter, ValueId split, const Part &part) const;

    const Graph &graph_;
    std::vector<std::optional<Moved>> moved_; ///< by old value
    std::vector<Axis> axes_;                  ///< of the channels, where known; by old value
};

ValueId Mover::visit(Rewriter &rewriter, ValueId id) {
    const Node &node = graph_.node(id);
    axes_[size_t(id)] = axis_of(node);
    if (node.type.dtype != DType::kFloat32)
        return Rewriter::kCopy;
    if (is_any<op::Reshape, op::Flatten, op::Permute, op::Roll>(node.op))
        return rearrange(rewriter, id);
    if (is_any<op::Linear, op::LayerNorm, op::Normalize, op::Activation>(node.op))
        return row_by_row(rewriter, id);
    if (is_any<op::Add, op::Mul>(node.op))
        return join(rewriter, id);
    if (is_any<op::Attention>(node.op))
        return attend(rewriter, id);
    return Rewriter::kCopy;
}

ValueId Mover::keep(Rewriter &rewriter, ValueId id, Moved value) {
    axes_[size_t(id)] = value.order->axis();
    const ValueId arranged = value.order->apply(rewriter.result(), value.base);
    moved_[size_t(id)] = std::move(value);
    return arranged;
}

/// By what makes the value; rearrangements know better.
Mover::Axis Mover::axis_of(const Node &node) const {
    const size_t rank = node.type.shape.size();
    if (is_any<op::Conv2d, op::BatchNorm, op::MaxPool2d, op::AvgPool2d, op::AdaptiveAvgPool2d>(
            node.op))
        return 1;
    if (is_any<op::Linear, op::LayerNorm, op::Attention>(node.op))
        return rank - 1;
    if (is_any<op::Activation, op::Add, op::Mul, op::PadEnd, op::Slice, op::Concat>(node.op)) {
        for (const ValueId input : node.inputs) {
            if (axes_[size_t(input)] && shape(input).size() == rank)
                return axes_[size_t(input)];
        }
    }
    return std::nullopt;
}

/// The value as rows: as it was moved already, or where its channels are known.
std::optional<Moved> Mover::start(Rewriter &rewriter, ValueId id) const {
    if (const Moved *already = moved(id))
        return *already;
    const Axis axis = axes_[size_t(id)];
    const Shape &of = shape(id);
    if (axis && *axis + 1 == of.size())
        return Moved{rewriter.mapped(id), std::make_shared<RowOrder>(RowOrder::of_base(of))};
    if (axis != 1 || of.size() != 4)
        return std::nullopt;
    const ValueId base = permuted(rewriter.result(), rewriter.mapped(id), {0, 2, 3, 1});
    return Moved{base, std::make_shared<RowOrder>(
                           RowOrder::channels_first(rewriter.result().type(base).shape))};
}

ValueId Mover::rearrange(Rewriter &rewriter, ValueId id) {
    const Node &node = graph_.node(id);
    const ValueId input = node.inputs[0];
    const auto from = start(rewriter, input);
    auto order = from ? from->order->then(node) : std::nullopt;
    if (order)
        axes_[size_t(id)] = order->axis();
    if (order && !(order->in_order() && order->channels_last()))
        return keep(rewriter, id, {from->base, std::make_shared<RowOrder>(*std::move(order))});
    const bool last_before = axes_[size_t(input)] == shape(input).size() - 1;
    if (order && (moved(input) != nullptr || last_before))
        return order->apply(rewriter.result(), from->base);
    return is_view(node) ? view_again(rewriter.result(), rewriter.mapped(input), graph_, id)
                         : Rewriter::kCopy;
}

ValueId Mover::row_by_row(Rewriter &rewriter, ValueId id) {
    const Node &node = graph_.node(id);
    const Moved *value = moved(node.inputs[0]);
    const bool any_axis = is_any<op::Activation>(node.op);
    if (value == nullptr || node.inputs.size() > 3 || !(any_axis || value->order->channels_last()))
        return Rewriter::kCopy;
    std::vector<ValueId> inputs{value->base};
    for (size_t i = 1; i < node.inputs.size(); ++i)
        inputs.push_back(rewriter.mapped(node.inputs[i]));
    return keep(rewriter, id, {rewriter.add(node.op, std::move(inputs), node.name), value->order});
}

ValueId Mover::join(Rewriter &rewriter, ValueId id) {
    const Node &node = graph_.node(id);
    for (const size_t i : {0, 1}) {
        const Moved *value = moved(node.inputs[i]);
        if (value == nullptr || shape(node.inputs[i]) != node.type.shape)
            continue;
        const auto other = join_with(rewriter, *value, node.inputs[1 - i]);
        if (other)
            return keep(rewriter, id,
                        {rewriter.add(node.op, {value->base, *other}, node.name), value->order});
    }
    return Rewriter::kCopy;
}

/// The other operand in the order of the value's base.
std::optional<ValueId> Mover::join_with(Rewriter &rewriter, const Moved &value,
                                        ValueId other) const {
    Graph &result = rewriter.result();
    const Shape base = result.type(value.base).shape;
    const Moved *other_moved = moved(other);
    if (other_moved != nullptr && *other_moved->order == *value.order &&
        numel(result.type(other_moved->base).shape) == numel(base))
        return reshaped(result, other_moved->base, base);
    if (shape(other) == value.order->shape(base.back()) && value.order->in_order())
        return value.order->revert(result, rewriter.mapped(other), base);
    return channel_operand(rewriter, value, other);
}

/// An operand that is one number, or one for each channel.
std::optional<ValueId> Mover::channel_operand(Rewriter &rewriter, const Moved &value,
                                              ValueId other) const {
    Graph &result = rewriter.result();
    const int64_t channels = result.type(value.base).shape.back();
    const Shape &of = shape(other);
    if (of.empty())
        return rewriter.mapped(other);
    const size_t after = value.order->shape(channels).size() - 1 - value.order->axis();
    if (numel(of) != channels || of.size() <= after || of[of.size() - 1 - after] != channels)
        return std::nullopt;
    const HostTensor *constant = constant_of(graph_, other);
    if (constant == nullptr || constant->dtype() != DType::kFloat32)
        return reshaped(result, rewriter.mapped(other), {channels});
    if (!constant->has_data())
        return rewriter.add(op::Constant{HostTensor::shape_only(DType::kFloat32, {channels})}, {},
                            graph_.node(other).name);
    const HostTensor packed = constant->contiguous();
    return rewriter.add(op::Constant{HostTensor(DType::kFloat32, {channels}, {1}, packed.offset(),
                                                packed.storage())},
                        {}, graph_.node(other).name);
}

/// Within windows: by the table of the rows that each of them has.
ValueId Mover::attend(Rewriter &rewriter, ValueId id) {
    const Node &node = graph_.node(id);
    auto attention = std::get<op::Attention>(node.op);
    std::vector<Part> parts;
    for (size_t i = 0; i < 3; ++i) {
        auto part = part_of(node.inputs[i]);
        if (!part || part->joint != part_of(node.inputs[0])->joint)
            return Rewriter::kCopy;
        parts.push_back(*std::move(part));
    }
    const Moved joint = *moved(parts[0].joint);
    const Shape &split_shape = parts[0].split;
    Graph &result = rewriter.result();
    const int64_t rows = split_shape[0] * split_shape[1];
    const ValueId split =
        reshaped(result, joint.base, {rows, split_shape[2], split_shape[3], split_shape[4]});
    std::vector<ValueId> inputs;
    for (const Part &part : parts)
        inputs.push_back(cut(rewriter, split, part));
    for (const ValueId term : std::span(node.inputs).subspan(3))
        inputs.push_back(rewriter.mapped(term));
    attention.tokens = split_shape[1];
    attention.rows = {joint.order, &joint.order->rows()};
    const ValueId fused = rewriter.add(std::move(attention), std::move(inputs), node.name);
    Shape image = result.type(joint.base).shape;
    image.back() = node.type.shape.back();
    return keep(rewriter, id, {reshaped(result, fused, image), joint.order});
}

/// What split_heads makes of a moved value [B, T, parts · H · D], and Swin V2 of that.
std::optional<Part> Mover::part_of(ValueId id) const {
    const int64_t heads = shape(id)[1];
    Part part{};
    const Node *node = &graph_.node(id);
    const auto go_to = [&](size_t input) { node = &graph_.node(id = node->inputs[input]); };
    while (is_any<op::Normalize, op::Mul>(node->op)) {
        if (is_any<op::Mul>(node->op) && !is_head_factor(shape(node->inputs[1]), heads))
            return std::nullopt;
        part.after.push_back(id);
        go_to(0);
    }
    if (!is_any<op::Reshape>(node->op))
        return std::nullopt;
    go_to(0);
    const auto *slice = std::get_if<op::Slice>(&node->op);
    if (slice == nullptr || slice->dim != 0 || slice->end != slice->start + 1)
        return std::nullopt;
    part.index = slice->start;
    go_to(0);
    const auto *permute = std::get_if<op::Permute>(&node->op);
    if (permute == nullptr || permute->order != std::vector<int64_t>{2, 0, 3, 1, 4})
        return std::nullopt;
    go_to(0);
    if (!is_any<op::Reshape>(node->op))
        return std::nullopt;
    part.split = node->type.shape;
    part.joint = node->inputs[0];
    const Moved *joint = moved(part.joint);
    const Shape joined{part.split[0], part.split[1], part.split[2] * part.split[3] * part.split[4]};
    if (joint == nullptr || shape(part.joint) != joined || !joint->order->channels_last())
        return std::nullopt;
    return part;
}

/// One part of [rows, parts, H, D] as [rows, H, D].
ValueId Mover::cut(Rewriter &rewriter, ValueId split, const Part &part) const {
    Graph &result = rewriter.result();
    const Shape all = result.type(split).shape;
    ValueId value = result.add(op::Slice{1, part.index, part.index + 1, 1}, {split});
    value = reshaped(result, value, {all[0], all[2], all[3]});
    for (size_t i = part.after.size(); i-- > 0;) {
        const Node &node = graph_.node(part.after[i]);
        std::vector<ValueId> inputs{value};
        if (is_any<op::Mul>(node.op))
            inputs.push_back(reshaped(result, rewriter.mapped(node.inputs[1]), {all[2], 1}));
        value = rewriter.add(node.op, std::move(inputs), node.name);
    }
    return value;
}

} // namespace

Graph move_rows(const Graph &graph) {
    Mover mover(graph);
    return Rewriter(graph).run(
        [&mover](Rewriter &rewriter, ValueId id) { return mover.visit(rewriter, id); });
}

} // namespace tvw
