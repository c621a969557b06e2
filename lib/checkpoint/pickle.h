// SPDX-License-Identifier: LGPL-2.1-or-later
// What a pickle stream leaves behind: values that refer to each other by index into a few flat
// tables. Sharing costs nothing, and taking it all down is never recursive.
#pragma once

#include <tvw/error.h>
#include <tvw/tensor.h>

#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tvw {

enum class PickleType : uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,  ///< index into strings
    kTuple,   ///< index into containers
    kList,    ///< index into containers
    kDict,    ///< index into containers; keys and values alternate
    kGlobal,  ///< index into the table of globals.h
    kStorage, ///< index into views
    kTensor,  ///< index into tensors
};

/// "a list", "an int", …
std::string_view type_text(PickleType type);

struct PickleValue {
    PickleType type = PickleType::kNone;
    int64_t payload = 0; ///< the number itself (a float's bits), or the index
    uint64_t at = 0;     ///< offset of the opcode that made it

    size_t index() const { return size_t(payload); }
    double real() const { return std::bit_cast<double>(payload); }
};

/// A tuple, list or dict. Once it is inside another one it cannot change any more: hence there are
/// no cycles and `depth` stays right.
struct PickleContainer {
    std::vector<PickleValue> items;
    uint64_t depth = 1;
    bool inside_another = false;
};

/// What one storage key stands for.
struct PickledStorage {
    std::string key;
    DType dtype;
    uint64_t numel;
    uint64_t bytes;
    uint64_t at;
};

/// A storage as tensors name it: all of it or, in old legacy files, a part of another one.
struct StorageView {
    size_t storage;
    uint64_t offset; ///< in elements
    uint64_t numel;
};

/// How a tensor was quantized, as the file says it: floats and ints per tensor, lists or tensors
/// of them per channel.
struct PickledQuantization {
    bool per_channel = false;
    int axis = 0;
    PickleValue scales;
    PickleValue zero_points;
};

/// A tensor whose view was found to lie inside its storage.
struct PickledTensor {
    size_t storage = 0;
    DType dtype = DType::kFloat32;
    Shape shape;
    std::vector<int64_t> strides;
    int64_t offset = 0;
    std::optional<PickledQuantization> quantization;
};

struct Pickle {
    PickleValue top;
    std::vector<std::string> strings;
    std::vector<PickleContainer> containers;
    std::vector<PickledStorage> storages;
    std::vector<StorageView> views;
    std::vector<PickledTensor> tensors;
    uint64_t depth_limit = 0;

    PickleValue add_string(std::string text);
    /// A tuple, list or dict of `items`.
    PickleValue add_container(PickleType type, std::vector<PickleValue> items);
    /// Appends to a list or dict.
    void extend(const PickleValue &container, std::span<const PickleValue> items);

    const std::string &string(const PickleValue &value) const { return strings[value.index()]; }
    const std::vector<PickleValue> &items(const PickleValue &value) const {
        return containers[value.index()].items;
    }

private:
    void put_inside(size_t container, std::span<const PickleValue> items);
};

/// Why an opcode cannot be obeyed. Only for use between the machine, which knows the position and
/// makes an Error of it, and what it calls.
struct PickleRefusal {
    ErrorKind kind;
    std::string what;
};
[[noreturn]] void refuse(const std::string &what);
[[noreturn]] void refuse_unsupported(const std::string &what);

} // namespace tvw
