// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/scope.h"

namespace tvw::nn {
namespace {

constexpr Distribution kUnknown{Distribution::Kind::kNone, 0};

} // namespace

std::string Scope::key(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

Scope Scope::operator/(std::string_view name) const {
    Scope child = *this;
    child.path_ = key(name);
    return child;
}

Scope Scope::with_init(const InitScheme &init) const {
    Scope scope = *this;
    scope.init_ = init;
    return scope;
}

Scope Scope::with_quantized_form(const QuantizedForm &form) const {
    Scope scope = *this;
    scope.quantized_form_ = form;
    return scope;
}

Value Scope::parameter(std::string_view name, const Shape &shape, const Init &init,
                       const Shape &weight) const {
    const std::string full = key(name);
    return constant({{full, DType::kFloat32, shape, true}, distribution(init, weight), false, {}});
}

Value Scope::buffer(std::string_view name, const Shape &shape, double initial) const {
    const std::string full = key(name);
    return constant(
        {{full, DType::kFloat32, shape, false}, {Distribution::Kind::kConstant, initial}, false});
}

Value Scope::buffer(std::string_view name, const HostTensor &initial) const {
    const std::string full = key(name);
    return constant({{full, initial.dtype(), initial.shape(), false}, {}, false, initial});
}

void Scope::expect_counter(std::string_view name) const {
    source_->get({{key(name), DType::kInt64, {}, false}, {}, true, {}});
}

StateValue Scope::stored(ParameterSpec spec) const {
    spec.key = key(spec.key);
    return source_->get({std::move(spec), kUnknown, false, {}});
}

std::optional<float> Scope::number(ParameterSpec spec, bool optional) const {
    spec.key = key(spec.key);
    const auto value = std::get<HostTensor>(
        source_->get({std::move(spec), kUnknown, optional, {}, /*number=*/true}));
    return value.has_data() ? std::optional(value.values<float>()[0]) : std::nullopt;
}

Value Scope::constant(const ParameterRequest &request) const {
    auto tensor = std::get<HostTensor>(source_->get(request));
    return {graph_, graph_->add_constant(request.spec.key, std::move(tensor))};
}

} // namespace tvw::nn
