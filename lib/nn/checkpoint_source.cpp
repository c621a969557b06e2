// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/parameters.h"

#include "base/nearest.h"
#include "base/text.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tvw::nn {
namespace {

/// The first name with what is said of it, and how many more there are.
std::string summary(std::string_view what, const std::vector<std::string> &items) {
    if (items.empty())
        return {};
    const std::string more = items.size() > 1 ? fmt::format(" and {} more", items.size() - 1) : "";
    return fmt::format("; {}{}{}", what, items.front(), more);
}

void need_finite(const std::string &key, const HostTensor &tensor) {
    if (tensor.dtype() != DType::kFloat32)
        return;
    const auto values = tensor.values<float>();
    const auto bad = std::find_if(values.begin(), values.end(),
                                  [](float value) { return !std::isfinite(value); });
    if (bad != values.end())
        throw Error(ErrorKind::kMismatch,
                    fmt::format("\"{}\" holds {} at element {}: the checkpoint is damaged", key,
                                *bad, bad - values.begin()));
}

/// The one element of a tensor as float32.
HostTensor as_number(const HostTensor &tensor, const Shape &shape) {
    HostTensor number = HostTensor::zeros(DType::kFloat32, shape);
    number.mutable_values<float>()[0] = tensor.to_float32().values<float>()[0];
    return number;
}

} // namespace

CheckpointSource::CheckpointSource(const StateDict &state_dict, const RenameKey &rename) {
    for (const auto &[key, value] : state_dict.entries()) {
        std::string ours = rename ? rename(key) : key;
        if (!values_.emplace(ours, &value).second)
            throw Error(ErrorKind::kMismatch,
                        fmt::format("two keys of the checkpoint mean \"{}\"", shown(ours)));
        unused_.insert(std::move(ours));
    }
}

const HostTensor *CheckpointSource::find(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : std::get_if<HostTensor>(found->second);
}

Shape CheckpointSource::shape(std::string_view key) const {
    const HostTensor *tensor = find(key);
    return tensor != nullptr ? tensor->shape() : Shape{};
}

StateValue CheckpointSource::get(const ParameterRequest &request) {
    switch (request.spec.kind) {
    case StateKind::kTensor:
        break;
    case StateKind::kPacked:
        return packed(request.spec);
    case StateKind::kDType:
        unused_.erase(request.spec.key);
        return request.spec.dtype;
    }
    return tensor(request);
}

HostTensor CheckpointSource::tensor(const ParameterRequest &request) {
    const auto &[key, dtype, shape, trainable, kind] = request.spec;
    unused_.erase(key);
    const HostTensor *tensor = find(key);
    if (tensor == nullptr && !request.optional)
        missing_.push_back(key);
    if (tensor != nullptr && request.number && tensor->numel() == 1)
        return as_number(*tensor, shape);
    if (tensor == nullptr || !fits(key, *tensor, dtype, shape))
        return HostTensor::shape_only(request.number ? DType::kFloat32 : dtype, shape);
    HostTensor result = dtype == DType::kFloat32 ? tensor->to_float32() : tensor->contiguous();
    need_finite(key, result);
    return result;
}

bool CheckpointSource::fits(const std::string &key, const HostTensor &tensor, DType dtype,
                            const Shape &shape) {
    const bool converted = dtype == DType::kFloat32; // as PyTorch's copy_ does
    if (tensor.shape() != shape)
        wrong_.push_back(fmt::format("\"{}\" is {}, expected {}", key, shape_text(tensor.shape()),
                                     shape_text(shape)));
    else if (!converted && tensor.dtype() != dtype)
        wrong_.push_back(fmt::format("\"{}\" is {}, expected {}", key, dtype_name(tensor.dtype()),
                                     dtype_name(dtype)));
    else
        return true;
    return false;
}

/// Before version 3 of its module, weight and bias of a linear layer were entries of their own; at
/// first beside its scale.
std::vector<HostTensor> CheckpointSource::unpacked(std::string_view key) {
    for (const std::string_view end : {"_packed_params", "_packed_params._packed_params"}) {
        const std::string path(key.substr(0, key.size() - end.size()));
        const HostTensor *weight = find(path + "weight");
        const HostTensor *bias = find(path + "bias");
        if (weight == nullptr || bias == nullptr)
            continue;
        unused_.erase(path + "weight");
        unused_.erase(path + "bias");
        return {*weight, *bias};
    }
    return {};
}

StateValue CheckpointSource::packed(const ParameterSpec &spec) {
    unused_.erase(spec.key);
    const auto found = values_.find(spec.key);
    const auto *pair =
        found == values_.end() ? nullptr : std::get_if<std::vector<HostTensor>>(found->second);
    const std::vector<HostTensor> parts = pair != nullptr ? *pair : unpacked(spec.key);
    if (parts.size() != 2)
        missing_.push_back(spec.key);
    const bool complete = parts.size() == 2 && fits(spec.key, parts[0], spec.dtype, spec.shape) &&
                          fits(spec.key, parts[1], DType::kFloat32, {spec.shape.at(0)});
    if (!complete)
        return shapes_of(spec);
    const HostTensor bias = parts[1].to_float32();
    need_finite(spec.key, bias);
    return std::vector{parts[0].contiguous(), bias};
}

void CheckpointSource::finish(const std::string &builder, const std::string &file) const {
    if (missing_.empty() && unused_.empty() && wrong_.empty())
        return;
    std::vector<std::string> missing;
    const std::vector<std::string> unused(unused_.begin(), unused_.end());
    for (const std::string &key : missing_)
        missing.push_back(
            fmt::format("\"{}\"{}", key, missing.empty() ? did_you_mean(key, unused) : ""));
    std::vector<std::string> unexpected;
    unexpected.reserve(unused.size());
    for (const std::string &key : unused)
        unexpected.push_back("\"" + shown(key) + "\"");
    throw Error(ErrorKind::kMismatch,
                fmt::format("{} does not fit {}{}{}{}", shown(file), builder,
                            summary("missing ", missing), summary("unexpected ", unexpected),
                            summary("", wrong_)));
}

} // namespace tvw::nn
