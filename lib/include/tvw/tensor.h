// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace at {
class Tensor;
} // namespace at

namespace tvw {

/// Element types that checkpoints hold; names and sizes are PyTorch's.
enum class DType : uint8_t {
    kBool,
    kUInt8,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kFloat16,
    kBFloat16,
    kFloat32,
    kFloat64,
    kQInt8,
    kQUInt8,
    kQInt32,
};

/// "float32", "qint8", …
TVW_API std::string_view dtype_name(DType dtype);
/// Bytes per element.
TVW_API size_t item_size(DType dtype);

/// Sizes of the dimensions, outermost first; empty for a scalar.
using Shape = std::vector<int64_t>;

/// "64×3×7×7"; "scalar" for rank 0.
TVW_API std::string shape_text(const Shape &shape);
/// Product of the sizes; Error(kInvalidArgument) where it would not fit in int64.
TVW_API int64_t numel(const Shape &shape);

/// Plain bytes that tensors share, aligned to 64 for SIMD loads.
class TVW_API Storage {
public:
    explicit Storage(size_t bytes);
    ~Storage();
    Storage(const Storage &) = delete;
    Storage &operator=(const Storage &) = delete;

    std::byte *data() { return data_; }
    const std::byte *data() const { return data_; }
    size_t size() const { return size_; }

private:
    std::byte *data_;
    size_t size_;
};

/// Affine quantization: real = (stored - zero_point) * scale.
struct Quantization {
    bool per_channel = false;
    int axis = 0;                     ///< meaningful per channel only
    std::vector<double> scales;       ///< one, or one per channel
    std::vector<int64_t> zero_points; ///< as many as scales
};

/// A tensor in host memory without LibTorch: dtype, shape, strides and shared bytes.
/// Copies are cheap and share the storage. Without a storage it is a shape only.
class TVW_API HostTensor {
public:
    HostTensor() = default;
    /// A view; strides and offset count elements. The caller has checked the bounds.
    HostTensor(DType dtype, Shape shape, std::vector<int64_t> strides, int64_t offset,
               std::shared_ptr<Storage> storage,
               std::shared_ptr<const Quantization> quantization = nullptr);

    /// A new contiguous tensor of zeros.
    static HostTensor zeros(DType dtype, Shape shape);
    /// Shape and dtype without bytes.
    static HostTensor shape_only(DType dtype, Shape shape);

    DType dtype() const { return dtype_; }
    const Shape &shape() const { return shape_; }
    const std::vector<int64_t> &strides() const { return strides_; }
    int64_t offset() const { return offset_; }
    const std::shared_ptr<Storage> &storage() const { return storage_; }
    const std::shared_ptr<const Quantization> &quantization() const { return quantization_; }

    int64_t numel() const;
    bool has_data() const { return storage_ != nullptr; }
    /// C order without gaps, as in PyTorch.
    bool is_contiguous() const;
    /// Itself if contiguous, else a packed copy.
    HostTensor contiguous() const;
    /// A contiguous float32 copy (or itself); quantized tensors are dequantized.
    HostTensor to_float32() const;

    /// LibTorch's view of the same bytes, which it keeps alive; writing through it writes here.
    /// Needs libtvw. Error(kNotSupported) for quantized tensors and shapes without bytes.
    operator at::Tensor() const; // NOLINT(google-explicit-constructor): as transparent as in Python

    /// The elements of a contiguous tensor. Error(kInternal) on another dtype or layout.
    template<typename T>
    std::span<const T> values() const;
    template<typename T>
    std::span<T> mutable_values();

private:
    std::byte *typed_bytes(DType expected) const;

    DType dtype_ = DType::kFloat32;
    Shape shape_;
    std::vector<int64_t> strides_;
    int64_t offset_ = 0;
    std::shared_ptr<Storage> storage_;
    std::shared_ptr<const Quantization> quantization_;
};

/// A tensor with the name by which graphs, files and the program know it.
struct NamedTensor {
    std::string name;
    HostTensor tensor;
};

template<typename T>
struct DTypeOf;
template<>
struct DTypeOf<uint8_t> {
    static constexpr DType value = DType::kUInt8;
};
template<>
struct DTypeOf<int32_t> {
    static constexpr DType value = DType::kInt32;
};
template<>
struct DTypeOf<int64_t> {
    static constexpr DType value = DType::kInt64;
};
template<>
struct DTypeOf<float> {
    static constexpr DType value = DType::kFloat32;
};
template<>
struct DTypeOf<double> {
    static constexpr DType value = DType::kFloat64;
};

template<typename T>
std::span<const T> HostTensor::values() const {
    return {reinterpret_cast<const T *>(typed_bytes(DTypeOf<T>::value)), size_t(numel())};
}
template<typename T>
std::span<T> HostTensor::mutable_values() {
    return {reinterpret_cast<T *>(typed_bytes(DTypeOf<T>::value)), size_t(numel())};
}

} // namespace tvw
