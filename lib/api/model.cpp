// SPDX-License-Identifier: LGPL-2.1-or-later
#include "api/model_impl.h"

#include "backends/convert.h"
#include "engine/execute.h"

#include <tvw/error.h>

#include <ostream>

namespace tvw {

at::Tensor Model::Impl::run(const at::Tensor &input) {
    if (!input.defined() || input.scalar_type() != at::kFloat)
        throw Error(ErrorKind::kInvalidArgument,
                    network_.name() + ": the input is " +
                        (input.defined() ? c10::toString(input.scalar_type()) : "undefined") +
                        ", expected float32 [N, 3, H, W]: what the weights' transforms() give, "
                        "with a batch dimension");
    std::vector<NamedTensor> outputs;
    execute(network_.placement(), 0, [&] {
        notice_changes();
        network_.run({{"input", from_aten(input)}}, outputs);
    });
    return outputs.front().tensor;
}

/// LibTorch counts what its operators write to a tensor, whichever handle they are given.
void Model::Impl::notice_changes() {
    uint32_t changes = 0;
    for (const auto &[key, tensor] : exposed_)
        changes += uint32_t(tensor._version());
    if (std::exchange(changes_, changes) != changes)
        network_.forget_plans();
}

Model::NamedTensors Model::Impl::state_dict() {
    NamedTensors result;
    execute(network_.placement(), 0, [&] {
        if (exposed_.empty()) {
            for (const auto &[key, tensor] : network_.state_dict())
                exposed_.emplace_back(key, tensor);
        }
        result = exposed_;
    });
    return result;
}

void Model::Impl::load_state_dict(const StateDict &state_dict) {
    execute(network_.placement(), 0, [&] {
        if (!network_.load_state_dict(state_dict))
            exposed_.clear();
    });
}

void Model::Impl::move_to(const Device &device) {
    const Placement placement = choose_placement(network_.config_for(device));
    execute(network_.placement(), 0, [&] { network_.move_to(placement); });
}

int64_t Model::Impl::num_params() {
    int64_t count = 0;
    execute(network_.placement(), 0, [&] { count = network_.num_params(); });
    return count;
}

std::string Model::Impl::text() {
    std::string result;
    execute(network_.placement(), 0, [&] { result = network_.text(); });
    return result;
}

Model::Model(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

const std::string &Model::name() const {
    return impl_->name();
}

at::Tensor Model::operator()(const at::Tensor &input) const {
    return impl_->run(input);
}

Model &Model::to(std::string_view device) {
    impl_->move_to(parse_device(device));
    return *this;
}

Model::NamedTensors Model::state_dict() const {
    return impl_->state_dict();
}

void Model::load_state_dict(const StateDict &state_dict) {
    impl_->load_state_dict(state_dict);
}

void Model::load_state_dict(const NamedTensors &state_dict) {
    StateDict copies;
    guarded([&] {
        for (const auto &[key, tensor] : state_dict)
            copies.add(key, from_aten(tensor));
    });
    load_state_dict(copies);
}

int64_t Model::num_params() const {
    return impl_->num_params();
}

std::ostream &operator<<(std::ostream &out, const Model &model) {
    return out << model.impl_->text();
}

} // namespace tvw
