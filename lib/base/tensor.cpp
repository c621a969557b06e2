// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/error.h>
#include <tvw/tensor.h>

#include "base/half.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace tvw {
namespace {

struct DTypeInfo {
    std::string_view name;
    size_t size;
};

// In the order of DType.
constexpr DTypeInfo kDTypes[] = {
    {"bool", 1},  {"uint8", 1},   {"int8", 1},     {"int16", 2},   {"int32", 4},
    {"int64", 8}, {"float16", 2}, {"bfloat16", 2}, {"float32", 4}, {"float64", 8},
    {"qint8", 1}, {"quint8", 1},  {"qint32", 4},
};

std::vector<int64_t> contiguous_strides(const Shape &shape) {
    std::vector<int64_t> strides(shape.size());
    int64_t step = 1;
    for (size_t i = shape.size(); i-- > 0;) {
        strides[i] = step;
        step *= std::max<int64_t>(shape[i], 1);
    }
    return strides;
}

/// Calls `visit(element index in storage)` for every element in C order.
template<typename Visit>
void for_each_element(const HostTensor &tensor, Visit visit) {
    const Shape &shape = tensor.shape();
    std::vector<int64_t> index(shape.size(), 0);
    int64_t position = tensor.offset();
    for (int64_t left = tensor.numel(); left > 0; --left) {
        visit(position);
        for (size_t d = shape.size(); d-- > 0;) {
            position += tensor.strides()[d];
            if (++index[d] < shape[d])
                break;
            position -= tensor.strides()[d] * shape[d];
            index[d] = 0;
        }
    }
}

float read_as_float(DType dtype, const std::byte *p) {
    const auto load = [p]<typename T>(T value) {
        std::memcpy(&value, p, sizeof value);
        return value;
    };
    switch (dtype) {
    case DType::kBool:
    case DType::kUInt8:
    case DType::kQUInt8:
        return load(uint8_t{});
    case DType::kInt8:
    case DType::kQInt8:
        return load(int8_t{});
    case DType::kInt16:
        return load(int16_t{});
    case DType::kInt32:
    case DType::kQInt32:
        return float(load(int32_t{}));
    case DType::kInt64:
        return float(load(int64_t{}));
    case DType::kFloat16:
        return half_to_float(load(uint16_t{}));
    case DType::kBFloat16:
        return bfloat16_to_float(load(uint16_t{}));
    case DType::kFloat32:
        return load(float{});
    case DType::kFloat64:
        return float(load(double{}));
    }
    return 0;
}

/// In place, float32 values as stored to real ones.
void dequantize(const Quantization &quantization, HostTensor &tensor) {
    const Shape &shape = tensor.shape();
    const int axis = quantization.per_channel ? quantization.axis : 0;
    int64_t inner = 1;
    for (size_t d = size_t(axis) + 1; quantization.per_channel && d < shape.size(); ++d)
        inner *= shape[d];
    const int64_t channels = quantization.per_channel ? shape[size_t(axis)] : 1;
    const auto values = tensor.mutable_values<float>();
    for (int64_t i = 0; i < int64_t(values.size()); ++i) {
        const auto c = size_t(i / inner % channels);
        values[size_t(i)] = float((values[size_t(i)] - float(quantization.zero_points[c])) *
                                  quantization.scales[c]);
    }
}

} // namespace

std::string_view dtype_name(DType dtype) {
    return kDTypes[size_t(dtype)].name;
}

size_t item_size(DType dtype) {
    return kDTypes[size_t(dtype)].size;
}

std::string shape_text(const Shape &shape) {
    if (shape.empty())
        return "scalar";
    std::string text;
    for (const int64_t size : shape)
        text += (text.empty() ? "" : "×") + std::to_string(size);
    return text;
}

int64_t numel(const Shape &shape) {
    int64_t count = 1;
    for (const int64_t size : shape) {
        if (size < 0 || __builtin_mul_overflow(count, size, &count))
            throw Error(ErrorKind::kInvalidArgument,
                        "shape " + shape_text(shape) + " has no valid number of elements");
    }
    return count;
}

Storage::Storage(size_t bytes)
    : data_(static_cast<std::byte *>(::operator new (bytes, std::align_val_t{64}))), size_(bytes) {}

Storage::~Storage() {
    ::operator delete (data_, std::align_val_t{64});
}

HostTensor::HostTensor(DType dtype, Shape shape, std::vector<int64_t> strides, int64_t offset,
                       std::shared_ptr<Storage> storage,
                       std::shared_ptr<const Quantization> quantization)
    : dtype_(dtype),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      offset_(offset),
      storage_(std::move(storage)),
      quantization_(std::move(quantization)) {}

HostTensor HostTensor::zeros(DType dtype, Shape shape) {
    const size_t bytes = size_t(tvw::numel(shape)) * item_size(dtype);
    auto storage = std::make_shared<Storage>(bytes);
    std::memset(storage->data(), 0, bytes);
    auto strides = contiguous_strides(shape);
    return {dtype, std::move(shape), std::move(strides), 0, std::move(storage)};
}

HostTensor HostTensor::shape_only(DType dtype, Shape shape) {
    auto strides = contiguous_strides(shape);
    return {dtype, std::move(shape), std::move(strides), 0, nullptr};
}

int64_t HostTensor::numel() const {
    return tvw::numel(shape_);
}

bool HostTensor::is_contiguous() const {
    int64_t step = 1;
    for (size_t i = shape_.size(); i-- > 0;) {
        if (shape_[i] == 0)
            return true;
        if (shape_[i] != 1 && strides_[i] != step)
            return false;
        step *= shape_[i];
    }
    return true;
}

HostTensor HostTensor::contiguous() const {
    if (!has_data() || is_contiguous())
        return *this;
    HostTensor packed = zeros(dtype_, shape_);
    packed.quantization_ = quantization_;
    const size_t size = item_size(dtype_);
    std::byte *dst = packed.storage_->data();
    for_each_element(*this, [&](int64_t position) {
        std::memcpy(dst, storage_->data() + size_t(position) * size, size);
        dst += size;
    });
    return packed;
}

HostTensor HostTensor::to_float32() const {
    if (!has_data())
        return shape_only(DType::kFloat32, shape_);
    if (dtype_ == DType::kFloat32)
        return contiguous();
    HostTensor result = zeros(DType::kFloat32, shape_);
    float *dst = result.mutable_values<float>().data();
    for_each_element(*this, [&](int64_t position) {
        *dst++ = read_as_float(dtype_, storage_->data() + size_t(position) * item_size(dtype_));
    });
    if (quantization_)
        dequantize(*quantization_, result);
    return result;
}

std::byte *HostTensor::typed_bytes(DType expected) const {
    if (dtype_ != expected || !storage_ || !is_contiguous())
        throw Error(ErrorKind::kInternal, "a tensor of " + std::string(dtype_name(dtype_)) +
                                              " was read as contiguous " +
                                              std::string(dtype_name(expected)));
    return storage_->data() + size_t(offset_) * item_size(dtype_);
}

} // namespace tvw
