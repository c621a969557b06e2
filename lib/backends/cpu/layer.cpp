// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/layer.h"

#include <algorithm>

namespace tvw::cpu {

Layer layer_of(const Planner &planner, ValueId id) {
    const Node &node = planner.graph().node(id);
    const size_t count = node.inputs.size();
    return {node, planner.constant(node.inputs[1]),
            count > 2 ? planner.constant(node.inputs[2]) : nullptr,
            count > 3 ? std::optional(node.inputs[3]) : std::nullopt};
}

bool has_constants(const Layer &layer) {
    return layer.weight != nullptr && (layer.node.inputs.size() < 3 || layer.bias != nullptr);
}

const std::string &weight_name(const Planner &planner, const Layer &layer) {
    return planner.graph().node(layer.node.inputs[1]).name;
}

bool is_pixel_wise(const Graph &graph, ValueId id) {
    const Node &node = graph.node(id);
    const auto *conv = std::get_if<op::Conv2d>(&node.op);
    if (conv == nullptr || conv->groups != 1 || conv->stride != Size2{1, 1} ||
        conv->padding != Padding{0, 0, 0, 0})
        return false;
    const Shape &weight = graph.type(node.inputs[1]).shape;
    return weight[2] == 1 && weight[3] == 1;
}

bool is_depthwise(const Graph &graph, ValueId id) {
    const Node &node = graph.node(id);
    const auto *conv = std::get_if<op::Conv2d>(&node.op);
    if (conv == nullptr || conv->groups == 1)
        return false;
    const Shape &weight = graph.type(node.inputs[1]).shape;
    return weight[1] == 1 && weight[0] == conv->groups;
}

View plan_sums(Planner &planner, ValueId id) {
    const bool wanted = std::ranges::any_of(planner.users(id), [&](ValueId user) {
        if (user < 0)
            return false;
        const Op &op = planner.graph().node(user).op;
        const auto *pool = std::get_if<op::AdaptiveAvgPool2d>(&op);
        return std::holds_alternative<op::SpatialMean>(op) ||
               (pool != nullptr && pool->output == Size2{1, 1});
    });
    const Shape &shape = planner.graph().type(id).shape;
    const View sums = planner.scratch(wanted ? shape[0] * shape[1] : 0);
    if (wanted)
        planner.set_sums(id, sums);
    return sums;
}

std::shared_ptr<const PackedGemm> packed_gemm(Planner &planner, const Layer &layer) {
    return planner.cache().get(weight_name(planner, layer) + " GEMM", [&] {
        const HostTensor weight = layer.weight->contiguous();
        const Shape &shape = weight.shape();
        return std::make_shared<const PackedGemm>(values_of(weight), shape[0],
                                                  numel(shape) / shape[0]);
    });
}

DepthwiseWeight depthwise_weight(Planner &planner, const Layer &layer) {
    return *planner.cache().get(weight_name(planner, layer) + " depthwise", [&] {
        const HostTensor weight = layer.weight->contiguous();
        const Shape &shape = weight.shape();
        return std::make_shared<const DepthwiseWeight>(
            pack_depthwise(values_of(weight), shape[0], {shape[2], shape[3]}));
    });
}

Epilogue ImageOutput::epilogue(const Memory &memory) const {
    Epilogue epilogue{.activation = activation};
    if (bias.has_data())
        epilogue.bias = values_of(bias);
    if (residual) {
        epilogue.residual = memory.at(residual->view());
        epilogue.residual_pixel = residual->pixel();
    }
    return epilogue;
}

std::vector<View> ImageOutput::reads() const {
    return residual ? std::vector<View>{residual->view()} : std::vector<View>{};
}

std::vector<View> ImageCall::reads() const {
    std::vector<View> reads = ImageOutput::reads();
    reads.push_back(x.view());
    return reads;
}

ImageOutput image_output(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer) {
    std::optional<PlacedImage> residual;
    if (layer.residual)
        residual.emplace(planner.as_image(*layer.residual));
    return {PlacedImage(planner.image_result(id)), residual,
            layer.bias != nullptr ? layer.bias->contiguous() : HostTensor(), conv.activation};
}

ImageCall image_call(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer,
                     const std::optional<Scaled> &scaled) {
    const PlacedImage x(scaled ? scaled->x : planner.as_image(layer.node.inputs[0]));
    return {image_output(planner, id, conv, layer), x};
}

} // namespace tvw::cpu
