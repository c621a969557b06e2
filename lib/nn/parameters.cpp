// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/parameters.h"

#include "base/nearest.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tvw::nn {
namespace {

/// FNV-1a: the same everywhere, unlike std::hash.
uint64_t hash(std::string_view text) {
    uint64_t value = 0xcbf29ce484222325;
    for (const char c : text)
        value = (value ^ uint8_t(c)) * 0x100000001b3;
    return value;
}

void fill(std::span<float> values, const Distribution &distribution, std::mt19937_64 &random) {
    using Kind = Distribution::Kind;
    const auto scale = float(distribution.scale);
    if (distribution.kind == Kind::kConstant) {
        std::fill(values.begin(), values.end(), scale);
    } else if (distribution.kind == Kind::kUniform) {
        std::uniform_real_distribution<float> draw(-scale, scale);
        std::generate(values.begin(), values.end(), [&] { return draw(random); });
    } else {
        std::normal_distribution<float> draw(0, scale);
        std::generate(values.begin(), values.end(), [&] { return draw(random); });
    }
}

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

/// Both contiguous, of one dtype and shape.
void copy_bytes(const HostTensor &src, HostTensor &dst) {
    const auto first = [](const HostTensor &tensor) {
        return tensor.storage()->data() + size_t(tensor.offset()) * item_size(tensor.dtype());
    };
    std::memcpy(first(dst), first(src), size_t(src.numel()) * item_size(src.dtype()));
}

} // namespace

HostTensor ShapeSource::get(const ParameterRequest &request) {
    return HostTensor::shape_only(request.spec.dtype, request.spec.shape);
}

HostTensor RandomSource::get(const ParameterRequest &request) {
    if (request.initial.has_data())
        return request.initial;
    HostTensor tensor = HostTensor::zeros(request.spec.dtype, request.spec.shape);
    std::mt19937_64 random(seed_ ^ hash(request.spec.key));
    if (tensor.dtype() == DType::kFloat32)
        fill(tensor.mutable_values<float>(), request.distribution, random);
    return tensor;
}

CheckpointSource::CheckpointSource(const StateDict &state_dict, const RenameKey &rename) {
    for (const auto &[key, value] : state_dict.entries()) {
        std::string ours = rename ? rename(key) : key;
        if (!values_.emplace(ours, &value).second)
            throw Error(ErrorKind::kMismatch,
                        fmt::format("two keys of the checkpoint mean \"{}\"", ours));
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

HostTensor CheckpointSource::get(const ParameterRequest &request) {
    const auto &[key, dtype, shape, trainable] = request.spec;
    unused_.erase(key);
    const HostTensor *tensor = find(key);
    if (tensor == nullptr && !request.optional)
        missing_.push_back(key);
    if (tensor != nullptr && tensor->shape() != shape) {
        wrong_.push_back(fmt::format("\"{}\" is {}, expected {}", key, shape_text(tensor->shape()),
                                     shape_text(shape)));
        tensor = nullptr;
    }
    if (tensor != nullptr && dtype != DType::kFloat32 && tensor->dtype() != dtype) {
        wrong_.push_back(fmt::format("\"{}\" is {}, expected {}", key, dtype_name(tensor->dtype()),
                                     dtype_name(dtype)));
        tensor = nullptr;
    }
    if (tensor == nullptr)
        return HostTensor::shape_only(dtype, shape);
    HostTensor result = dtype == DType::kFloat32 ? tensor->to_float32() : tensor->contiguous();
    need_finite(key, result);
    return result;
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
        unexpected.push_back("\"" + key + "\"");
    throw Error(ErrorKind::kMismatch,
                fmt::format("{} does not fit {}{}{}{}", file, builder, summary("missing ", missing),
                            summary("unexpected ", unexpected), summary("", wrong_)));
}

HostTensor ParameterStore::get(const ParameterRequest &request) {
    const std::string &key = request.spec.key;
    const auto known = tensors_.find(key);
    if (known != tensors_.end())
        return known->second;
    if (source_ == nullptr)
        throw Error(ErrorKind::kInternal,
                    "parameter \"" + key + "\" appeared with another input size");
    HostTensor tensor = source_->get(request);
    tensors_.emplace(key, tensor);
    specs_.push_back(request.spec);
    return tensor;
}

std::vector<NamedTensor> ParameterStore::tensors() const {
    std::vector<NamedTensor> result;
    for (const ParameterSpec &spec : specs_)
        result.push_back({spec.key, tensors_.at(spec.key)});
    return result;
}

void ParameterStore::own() {
    for (auto &[key, tensor] : tensors_) {
        if (tensor.has_data() && tensor.storage().use_count() == 1)
            continue;
        HostTensor copy = HostTensor::zeros(tensor.dtype(), tensor.shape());
        if (tensor.has_data())
            copy_bytes(tensor, copy);
        tensor = std::move(copy);
    }
}

void ParameterStore::copy_values(const ParameterStore &other) {
    for (auto &[key, tensor] : tensors_) {
        const HostTensor &src = other.tensors_.at(key);
        if (src.has_data())
            copy_bytes(src, tensor);
    }
}

int64_t ParameterStore::num_params() const {
    int64_t total = 0;
    for (const ParameterSpec &spec : specs_)
        total += spec.trainable ? numel(spec.shape) : 0;
    return total;
}

} // namespace tvw::nn
