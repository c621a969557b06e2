// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/inception.h"

#include "nn/emit.h"

namespace tvw::nn {

Value basic_conv(const Scope &s, Value x, int64_t out_channels, const ConvOptions &options) {
    return relu(batch_norm(s / "bn", conv(s / "conv", x, out_channels, options), {.eps = 0.001}));
}

Value transform_inception_input(Value x) {
    constexpr double kMean[] = {0.485, 0.456, 0.406};
    constexpr double kStd[] = {0.229, 0.224, 0.225};
    float scale[3];
    float shift[3];
    for (size_t c = 0; c < 3; ++c) {
        scale[c] = float(kStd[c] / 0.5);
        shift[c] = float((kMean[c] - 0.5) / 0.5);
    }
    x = mul(x, literal(*x.graph, "transform_input.scale", {3, 1, 1}, scale));
    return add(x, literal(*x.graph, "transform_input.shift", {3, 1, 1}, shift));
}

Value stand_in(const Scope &s, const Shape &shape) {
    const QuantizedForm &form = s.quantized_form();
    const Value x{&s.graph(),
                  s.graph().add_constant({}, HostTensor::shape_only(DType::kFloat32, shape))};
    return form.quantizes() ? emit(op::Quantize{{}, form.engine}, {x}) : x;
}

void drop_auxiliary_heads(Arguments &arguments, const Arguments &given) {
    if (!given.contains("aux_logits"))
        arguments["aux_logits"] = false;
}

} // namespace tvw::nn
