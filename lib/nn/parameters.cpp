// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/parameters.h"

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

std::byte *first_byte(const HostTensor &tensor) {
    return tensor.storage()->data() + size_t(tensor.offset()) * item_size(tensor.dtype());
}

/// Both contiguous, of one dtype and shape.
void copy_bytes(const HostTensor &src, HostTensor &dst) {
    std::memcpy(first_byte(dst), first_byte(src), size_t(src.numel()) * item_size(src.dtype()));
}

/// Contiguous, with bytes of its own; zeros where there are none.
HostTensor clone(const HostTensor &tensor) {
    HostTensor copy = HostTensor::zeros(tensor.dtype(), tensor.shape());
    if (tensor.has_data())
        copy_bytes(tensor, copy);
    return {copy.dtype(), copy.shape(), copy.strides(), 0, copy.storage(), tensor.quantization()};
}

StateValue clone(const StateValue &value) {
    const auto copy = []<typename T>(const T &known) -> StateValue {
        if constexpr (std::is_same_v<T, std::vector<HostTensor>>) {
            std::vector<HostTensor> parts;
            parts.reserve(known.size());
            for (const HostTensor &part : known)
                parts.push_back(clone(part));
            return parts;
        } else if constexpr (std::is_same_v<T, HostTensor>) {
            return clone(known);
        } else {
            return known;
        }
    };
    return std::visit(copy, value);
}

/// The value's tensor, if it is one that can be written in place.
HostTensor *plain_tensor(StateValue &value) {
    auto *tensor = std::get_if<HostTensor>(&value);
    return tensor != nullptr && !tensor->quantization() ? tensor : nullptr;
}

} // namespace

StateValue shapes_of(const ParameterSpec &spec) {
    switch (spec.kind) {
    case StateKind::kTensor:
        break;
    case StateKind::kPacked:
        return std::vector{HostTensor::shape_only(spec.dtype, spec.shape),
                           HostTensor::shape_only(DType::kFloat32, {spec.shape.at(0)})};
    case StateKind::kDType:
        return spec.dtype;
    }
    return HostTensor::shape_only(spec.dtype, spec.shape);
}

StateValue ShapeSource::get(const ParameterRequest &request) {
    return shapes_of(request.spec);
}

StateValue RandomSource::get(const ParameterRequest &request) {
    if (request.distribution.kind == Distribution::Kind::kNone)
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("\"{}\" cannot be drawn at random: a quantized network comes from "
                                "calibration or training;\ngive a checkpoint, or quantize=false",
                                request.spec.key));
    if (request.initial.has_data())
        return request.initial;
    HostTensor tensor = HostTensor::zeros(request.spec.dtype, request.spec.shape);
    std::mt19937_64 random(seed_ ^ hash(request.spec.key));
    if (tensor.dtype() == DType::kFloat32)
        fill(tensor.mutable_values<float>(), request.distribution, random);
    return tensor;
}

StateValue ParameterStore::get(const ParameterRequest &request) {
    const std::string &key = request.spec.key;
    const auto known = values_.find(key);
    if (known != values_.end())
        return known->second;
    if (source_ == nullptr)
        throw Error(ErrorKind::kInternal,
                    "parameter \"" + key + "\" appeared with another input size");
    StateValue value = source_->get(request);
    values_.emplace(key, value);
    specs_.push_back(request.spec);
    return value;
}

std::vector<NamedTensor> ParameterStore::tensors() const {
    std::vector<NamedTensor> result;
    for (const ParameterSpec &spec : specs_) {
        const auto *tensor = std::get_if<HostTensor>(&values_.at(spec.key));
        if (tensor == nullptr || tensor->quantization())
            throw Error(ErrorKind::kNotSupported,
                        "\"" + spec.key +
                            "\" is quantized: the parameters of quantized networks are not given "
                            "out as tensors");
        result.push_back({spec.key, *tensor});
    }
    return result;
}

void ParameterStore::own() {
    for (auto &[key, value] : values_) {
        const HostTensor *tensor = plain_tensor(value);
        if (tensor == nullptr || !tensor->has_data() || tensor->storage().use_count() != 1)
            value = clone(value);
    }
}

void ParameterStore::copy_values(const ParameterStore &other) {
    for (auto &[key, value] : values_) {
        const StateValue &src = other.values_.at(key);
        HostTensor *dst = plain_tensor(value);
        const auto *plain = std::get_if<HostTensor>(&src);
        if (dst == nullptr || plain == nullptr || plain->dtype() != dst->dtype())
            value = clone(src);
        else if (plain->has_data())
            copy_bytes(*plain, *dst);
    }
}

int64_t ParameterStore::num_params() const {
    int64_t total = 0;
    for (const ParameterSpec &spec : specs_)
        total += spec.trainable ? numel(spec.shape) : 0;
    return total;
}

} // namespace tvw::nn
