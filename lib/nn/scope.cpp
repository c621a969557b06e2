// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/scope.h"

namespace tvw::nn {

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

Value Scope::parameter(std::string_view name, const Shape &shape, const Init &init,
                       const Shape &weight) const {
    const std::string full = key(name);
    HostTensor tensor =
        source_->get({{full, DType::kFloat32, shape, true}, distribution(init, weight), false, {}});
    return {graph_, graph_->add_constant(full, std::move(tensor))};
}

Value Scope::buffer(std::string_view name, const Shape &shape, double initial) const {
    const std::string full = key(name);
    HostTensor tensor = source_->get(
        {{full, DType::kFloat32, shape, false}, {Distribution::Kind::kConstant, initial}, false});
    return {graph_, graph_->add_constant(full, std::move(tensor))};
}

Value Scope::buffer(std::string_view name, const HostTensor &initial) const {
    const std::string full = key(name);
    HostTensor tensor =
        source_->get({{full, initial.dtype(), initial.shape(), false}, {}, false, initial});
    return {graph_, graph_->add_constant(full, std::move(tensor))};
}

void Scope::expect_counter(std::string_view name) const {
    source_->get({{key(name), DType::kInt64, {}, false}, {}, true, {}});
}

} // namespace tvw::nn
