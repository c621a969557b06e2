// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets a convolution or linear layer add the residual, and an operation apply the activation, that
// follow it: the result is then in registers, and otherwise read and written once more. Reshapes
// and permutations between the two move behind both.
#include "passes/match.h"
#include "passes/pass.h"

#include <optional>
#include <vector>

namespace tvw {
namespace {

using Kind = std::optional<op::ActivationKind>;

/// The activation of an operation that has one; null for any other.
Kind *activation_of(Op &op) {
    const auto member = []<typename T>(T &known) -> Kind * {
        if constexpr (requires { known.activation; })
            return &known.activation;
        else
            return nullptr;
    };
    return std::visit(member, op);
}

/// A value behind views, all of which nothing else uses.
struct Producer {
    ValueId id;
    std::vector<ValueId> views; ///< the last one first
};

std::optional<Producer> producer_of(const Rewriter &rewriter, ValueId id) {
    Producer found{id, {}};
    while (rewriter.uses(found.id) == 1 && is_view(rewriter.source().node(found.id))) {
        found.views.push_back(found.id);
        found.id = rewriter.source().node(found.id).inputs[0];
    }
    if (rewriter.uses(found.id) != 1)
        return std::nullopt;
    return found;
}

ValueId behind_views(Rewriter &rewriter, ValueId id, const Producer &producer) {
    for (size_t i = producer.views.size(); i-- > 0;)
        id = view_again(rewriter.result(), id, rewriter.source(), producer.views[i]);
    return id;
}

std::vector<ValueId> mapped_inputs(const Rewriter &rewriter, const Node &node) {
    std::vector<ValueId> inputs;
    for (const ValueId input : node.inputs)
        inputs.push_back(rewriter.mapped(input));
    return inputs;
}

/// A node that stays; two views that have come together are one.
ValueId copy(Rewriter &rewriter, ValueId id) {
    const Node &node = rewriter.source().node(id);
    return is_view(node) && !node.type.affine
               ? view_again(rewriter.result(), rewriter.mapped(node.inputs[0]), rewriter.source(),
                            id)
               : Rewriter::kCopy;
}

ValueId fuse_activation(Rewriter &rewriter, ValueId id) {
    const Graph &graph = rewriter.source();
    const Node &node = graph.node(id);
    const auto *activation = std::get_if<op::Activation>(&node.op);
    const auto producer = activation != nullptr && !node.type.affine
                              ? producer_of(rewriter, node.inputs[0])
                              : std::nullopt;
    if (!producer)
        return copy(rewriter, id);
    const Node &before = graph.node(producer->id);
    Op op = before.op;
    Kind *kind = activation_of(op);
    if (kind == nullptr || kind->has_value())
        return copy(rewriter, id);
    *kind = activation->kind;
    const ValueId fused = rewriter.add(std::move(op), mapped_inputs(rewriter, before), before.name);
    return behind_views(rewriter, fused, *producer);
}

/// Whether a residual can be added in the node, whose result nothing else uses.
bool takes_residual(const Node &node) {
    Op op = node.op;
    const bool layer =
        std::holds_alternative<op::Conv2d>(op) || std::holds_alternative<op::Linear>(op);
    return layer && !activation_of(op)->has_value() && node.inputs.size() < 4;
}

/// The operand of the sum that shall add the other one: the one that is computed later.
std::optional<size_t> layer_operand(const Rewriter &rewriter, const Node &sum) {
    std::optional<size_t> best;
    ValueId latest = -1;
    for (const size_t i : {0, 1}) {
        const auto producer = producer_of(rewriter, sum.inputs[i]);
        const Graph &graph = rewriter.source();
        if (graph.type(sum.inputs[0]) == graph.type(sum.inputs[1]) && producer &&
            takes_residual(graph.node(producer->id)) && producer->id > latest) {
            best = i;
            latest = producer->id;
        }
    }
    return best;
}

ValueId fuse_residual(Rewriter &rewriter, ValueId id) {
    const Graph &graph = rewriter.source();
    const Node &sum = graph.node(id);
    const auto *add = std::get_if<op::Add>(&sum.op);
    const auto operand = add != nullptr ? layer_operand(rewriter, sum) : std::nullopt;
    if (!operand)
        return copy(rewriter, id);
    const Producer producer = *producer_of(rewriter, sum.inputs[*operand]);
    const Node &layer = graph.node(producer.id);
    Graph &result = rewriter.result();
    ValueId residual = rewriter.mapped(sum.inputs[1 - *operand]);
    for (const ValueId view : producer.views)
        residual = view_back(result, residual, graph, view);

    std::vector<ValueId> inputs = mapped_inputs(rewriter, layer);
    if (inputs.size() == 2) {
        const HostTensor *weight = constant_of(graph, layer.inputs[1]);
        const Shape channels{graph.type(layer.inputs[1]).shape[0]};
        const bool shapes = weight != nullptr && !weight->has_data();
        inputs.push_back(result.add_constant(
            layer.name + ".no_bias", shapes ? HostTensor::shape_only(DType::kFloat32, channels)
                                            : HostTensor::zeros(DType::kFloat32, channels)));
    }
    inputs.push_back(residual);
    Op op = layer.op;
    *activation_of(op) = add->activation;
    return behind_views(rewriter, rewriter.add(std::move(op), std::move(inputs), layer.name),
                        producer);
}

} // namespace

Graph fuse_epilogue(const Graph &graph) {
    // First, so that a sum has its activation when a layer takes the sum over.
    const Graph activated = Rewriter(graph).run(fuse_activation);
    return Rewriter(activated).run(fuse_residual);
}

} // namespace tvw
