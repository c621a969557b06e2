// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/builder.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>

namespace tvw::nn {
namespace {

QuantizedEngine engine_of(const ArgumentReader &arguments, std::string_view backend) {
    if (backend == "fbgemm")
        return QuantizedEngine::kFbgemm;
    if (backend == "qnnpack")
        return QuantizedEngine::kQnnpack;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: argument 'backend' must be \"fbgemm\" or \"qnnpack\"",
                            arguments.builder()));
}

QuantizedForm read_form(ArgumentReader &arguments, const Quantizable &quantizable) {
    using Kind = QuantizedForm::Kind;
    const Kind quantized = quantizable.aware ? Kind::kAware : Kind::kConverted;
    return {arguments.boolean("quantize", false) ? quantized : Kind::kOff,
            engine_of(arguments, arguments.text("backend", quantizable.backend))};
}

Builder quantized_builder(Builder base, const Quantizable &quantizable) {
    base.name = "quantized_" + base.name;
    base.build = [build = base.build, quantizable](const Scope &s, Value x,
                                                   ArgumentReader &arguments) {
        return build(s.with_quantized_form(read_form(arguments, quantizable)), x, arguments);
    };
    base.hooks.reduce = quantizable.reduce;
    return base;
}

} // namespace

Family with_quantized(Family family, std::span<const std::string_view> names,
                      const Quantizable &quantizable) {
    for (const std::string_view name : names) {
        const auto base = std::find_if(family.begin(), family.end(), [&](const Builder &builder) {
            return builder.name == name;
        });
        family.push_back(quantized_builder(*base, quantizable));
    }
    return family;
}

} // namespace tvw::nn
