// SPDX-License-Identifier: LGPL-2.1-or-later
// What the plans of convolutions and linear layers have in common.
#pragma once

#include "backends/cpu/kernels/depthwise.h"
#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/planner.h"

namespace tvw::cpu {

/// A layer's inputs: x, weight, and what else there is.
struct Layer {
    const Node &node;
    const HostTensor *weight;
    const HostTensor *bias;
    std::optional<ValueId> residual;
};

Layer layer_of(const Planner &planner, ValueId id);
/// Parameters that are known beforehand, as all builders' are.
bool has_constants(const Layer &layer);
const std::string &weight_name(const Planner &planner, const Layer &layer);
inline const float *values_of(const HostTensor &tensor) {
    return tensor.values<float>().data();
}

/// Whether the node is a 1×1 convolution that makes each pixel of the one pixel of its place.
bool is_pixel_wise(const Graph &graph, ValueId id);
/// Whether the node is a convolution of each channel by itself.
bool is_depthwise(const Graph &graph, ValueId id);
/// Where the sums of the result's channels [N, C] are to be written; no floats where nobody wants
/// their mean, as squeeze-excitation does.
View plan_sums(Planner &planner, ValueId id);

/// Packed once for all plans of a network; `form` names what `pack` makes of the weight's values.
template<typename Pack>
SharedFloats packed_weights(Planner &planner, const Layer &layer, const char *form,
                            const Pack &pack) {
    return *planner.cache().get(weight_name(planner, layer) + form, [&] {
        const HostTensor weight = layer.weight->contiguous();
        return std::make_shared<const SharedFloats>(pack(values_of(weight)));
    });
}
std::shared_ptr<const PackedGemm> packed_gemm(Planner &planner, const Layer &layer);
DepthwiseWeight depthwise_weight(Planner &planner, const Layer &layer);

/// Where kernels write images, and what is done to results before.
struct ImageOutput {
    PlacedImage y;
    std::optional<PlacedImage> residual;
    HostTensor bias; ///< without bytes: none
    std::optional<op::ActivationKind> activation;

    Epilogue epilogue(const Memory &memory) const;
    std::vector<View> reads() const;
};
ImageOutput image_output(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer);

/// A kernel from image to image.
struct ImageCall : ImageOutput {
    PlacedImage x;

    std::vector<View> reads() const;
};
/// Of x before it is scaled, if it is to be.
ImageCall image_call(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer,
                     const std::optional<Scaled> &scaled = {});

// expansion.cpp: a 1×1 convolution of which only the depthwise one behind it reads the result, as
// in inverted bottlenecks (Sandler et al., MobileNetV2, https://arxiv.org/abs/1801.04381). Both are
// done together, some channels and rows at a time, where the result would not stay in the caches.
bool is_expansion(const Planner &planner, ValueId id, const Layer &layer);
void expand_later(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer);
void expanded_depthwise(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer,
                        const Expansion &expansion);

} // namespace tvw::cpu
