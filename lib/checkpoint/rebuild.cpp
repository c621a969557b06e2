// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/rebuild.h"

#include "base/text.h"
#include "checkpoint/checked.h"
#include "checkpoint/quantization.h"
#include "checkpoint/view_extent.h"

#include <fmt/format.h>

#include <utility>

namespace tvw {
namespace {

// The most dimensions of a tensor: two more than any model of torchvision needs.
constexpr size_t kLargestRank = 8;

bool is_quantized(DType dtype) {
    return dtype == DType::kQInt8 || dtype == DType::kQUInt8 || dtype == DType::kQInt32;
}

void expect(const PickleValue &value, PickleType type, std::string_view what) {
    if (value.type != type)
        refuse(fmt::format("{} is {}, not {}", what, type_text(value.type), type_text(type)));
}

int64_t natural(const PickleValue &value, std::string_view what) {
    expect(value, PickleType::kInt, what);
    if (value.payload < 0)
        refuse(fmt::format("{} is negative: {}", what, value.payload));
    return value.payload;
}

void expect_count(size_t count, size_t least, size_t most, std::string_view what) {
    if (count < least || count > most)
        refuse(fmt::format("{} with {} arguments", what, count));
}

const GlobalEntry &global(const PickleValue &value, std::string_view what) {
    expect(value, PickleType::kGlobal, what);
    return global_entry(value.index());
}

} // namespace

PickleValue Rebuilder::call(const PickleValue &callee, const PickleValue &arguments) {
    const GlobalEntry &entry = global(callee, "what is called");
    expect(arguments, PickleType::kTuple, "the argument list");
    constexpr size_t kMostArguments = 7; // of _rebuild_tensor_v2
    expect_count(pickle_.items(arguments).size(), 0, kMostArguments, entry.name);
    // A copy: what is made below may move the tables.
    const std::vector<PickleValue> items = pickle_.items(arguments);
    switch (entry.global) {
    case Global::kOrderedDict:
        return ordered_dict(items);
    case Global::kCounter: // a dict of counts
        expect_count(items.size(), 1, 1, "Counter");
        expect(items[0], PickleType::kDict, "Counter's argument");
        return items[0];
    case Global::kRebuildTensor:
    case Global::kRebuildTensorV2:
        return tensor(items);
    case Global::kRebuildQTensor:
        return quantized_tensor(items);
    case Global::kRebuildParameter: // (tensor, requires_grad, hooks)
        expect_count(items.size(), 3, 3, "a parameter");
        expect(items[0], PickleType::kTensor, "a parameter's data");
        return items[0];
    case Global::kSize:
        expect_count(items.size(), 1, 1, "torch.Size");
        expect(items[0], PickleType::kTuple, "torch.Size's argument");
        return items[0];
    default:
        refuse(fmt::format("{}.{} is not something to call", entry.module, entry.name));
    }
}

/// Without arguments; from Python 2 also with a list of pairs.
PickleValue Rebuilder::ordered_dict(Arguments arguments) {
    expect_count(arguments.size(), 0, 1, "OrderedDict");
    std::vector<PickleValue> items;
    if (arguments.size() == 1) {
        expect(arguments[0], PickleType::kList, "OrderedDict's argument");
        for (const PickleValue &pair : pickle_.items(arguments[0])) {
            if (pair.type != PickleType::kTuple && pair.type != PickleType::kList)
                refuse("OrderedDict's list holds something else than pairs");
            const auto &both = pickle_.items(pair);
            if (both.size() != 2)
                refuse("OrderedDict's list holds something else than pairs");
            charge(1);
            items.insert(items.end(), both.begin(), both.end());
        }
    }
    return pickle_.add_container(PickleType::kDict, std::move(items));
}

PickleValue Rebuilder::storage(const PickleValue &id) {
    expect(id, PickleType::kTuple, "a persistent id");
    const auto &items = pickle_.items(id);
    // ("storage", type, key, location, numel), in legacy files also a view: the location is where
    // the tensor lived and does not matter here.
    if (items.size() < 5 || items.size() > 6)
        refuse(fmt::format("a persistent id of {} items", items.size()));
    expect(items[0], PickleType::kString, "a persistent id's kind");
    if (pickle_.string(items[0]) != "storage")
        refuse_unsupported("a persistent id of kind " + in_quotes(pickle_.string(items[0])));
    const GlobalEntry &type = global(items[1], "a storage's type");
    if (type.global != Global::kStorageType)
        refuse(fmt::format("{}.{} is not a storage's type", type.module, type.name));
    expect(items[2], PickleType::kString, "a storage's key");
    expect(items[3], PickleType::kString, "a storage's location");
    const auto numel = uint64_t(natural(items[4], "a storage's number of elements"));
    StorageView view{declare_storage(pickle_.string(items[2]), type.dtype, numel, id.at), 0, numel};
    if (items.size() == 6 && items[5].type != PickleType::kNone) {
        expect(items[5], PickleType::kTuple, "a storage's view");
        const auto &part = pickle_.items(items[5]); // (key, offset, numel)
        if (part.size() != 3)
            refuse(fmt::format("a storage's view of {} items", part.size()));
        view.offset = uint64_t(natural(part[1], "a view's offset"));
        view.numel = uint64_t(natural(part[2], "a view's number of elements"));
        if (view.offset > numel || view.numel > numel - view.offset) {
            refuse(fmt::format("a view of {} elements at {} reaches past its storage of {}",
                               view.numel, view.offset, numel));
        }
    }
    pickle_.views.push_back(view);
    return {PickleType::kStorage, int64_t(pickle_.views.size() - 1)};
}

size_t Rebuilder::declare_storage(const std::string &key, DType dtype, uint64_t numel,
                                  uint64_t at) {
    const auto known = storage_index_.find(key);
    if (known != storage_index_.end()) {
        const PickledStorage &first = pickle_.storages[known->second];
        if (first.dtype != dtype || first.numel != numel) {
            refuse(fmt::format("storage {} is {}×{} here and {}×{} before", in_quotes(key), numel,
                               dtype_name(dtype), first.numel, dtype_name(first.dtype)));
        }
        return known->second;
    }
    uint64_t bytes = 0;
    if (!multiply(numel, item_size(dtype), bytes) || !add(total_bytes_, bytes, total_bytes_) ||
        total_bytes_ > file_bytes_) {
        refuse(fmt::format("storage {} of {}×{} cannot be in a file of {} bytes", in_quotes(key),
                           numel, dtype_name(dtype), file_bytes_));
    }
    if (total_bytes_ > limits_.tensor_bytes) {
        refuse_unsupported(
            fmt::format("the storages have more bytes than the limit of {}", limits_.tensor_bytes));
    }
    pickle_.storages.push_back({key, dtype, numel, bytes, at});
    storage_index_.emplace(key, pickle_.storages.size() - 1);
    return pickle_.storages.size() - 1;
}

/// (storage, offset, size, stride[, requires_grad, hooks[, metadata]])
PickleValue Rebuilder::tensor(Arguments arguments) {
    expect_count(arguments.size(), 4, 7, "a tensor");
    if (arguments.size() == 7) {
        // Flags such as "this is the conjugate of what is stored".
        expect(arguments[6], PickleType::kDict, "a tensor's metadata");
        if (!pickle_.items(arguments[6]).empty())
            refuse_unsupported("the tensor has conjugate or negative bits set");
    }
    PickledTensor result = view(arguments.first(4));
    if (is_quantized(result.dtype))
        refuse("a quantized storage in a tensor without scales");
    return add_tensor(std::move(result));
}

/// (storage, offset, size, stride, quantizer, requires_grad, hooks)
PickleValue Rebuilder::quantized_tensor(Arguments arguments) {
    expect_count(arguments.size(), 7, 7, "a quantized tensor");
    PickledTensor result = view(arguments.first(4));
    if (!is_quantized(result.dtype))
        refuse(fmt::format("a quantized tensor with elements of {}", dtype_name(result.dtype)));
    result.quantization = read_quantizer(pickle_, arguments[4], result);
    if (result.quantization->per_channel)
        charge(uint64_t(result.shape[size_t(result.quantization->axis)]));
    return add_tensor(std::move(result));
}

/// Work that a short opcode causes: what one list holds can be asked for again and again.
void Rebuilder::charge(uint64_t items) {
    if (!add(charged_items_, items, charged_items_) || charged_items_ > limits_.items)
        refuse_unsupported(fmt::format("more items than the limit of {}", limits_.items));
}

PickleValue Rebuilder::add_tensor(PickledTensor tensor) {
    if (pickle_.tensors.size() >= limits_.tensors)
        refuse_unsupported(fmt::format("more tensors than the limit of {}", limits_.tensors));
    pickle_.tensors.push_back(std::move(tensor));
    return {PickleType::kTensor, int64_t(pickle_.tensors.size() - 1)};
}

PickledTensor Rebuilder::view(Arguments arguments) {
    expect(arguments[0], PickleType::kStorage, "a tensor's storage");
    const StorageView &part = pickle_.views[arguments[0].index()];
    PickledTensor result;
    result.storage = part.storage;
    result.dtype = pickle_.storages[part.storage].dtype;
    const auto offset = uint64_t(natural(arguments[1], "a tensor's offset"));
    const auto numbers = [&](const PickleValue &value, std::string_view what) {
        expect(value, PickleType::kTuple, what);
        std::vector<int64_t> result_numbers;
        const auto &items = pickle_.items(value);
        if (items.size() > kLargestRank) {
            refuse_unsupported(
                fmt::format("{} dimensions; at most {} are read", items.size(), kLargestRank));
        }
        result_numbers.reserve(items.size());
        for (const PickleValue &item : items)
            result_numbers.push_back(natural(item, what));
        return result_numbers;
    };
    result.shape = numbers(arguments[2], "a tensor's size");
    result.strides = numbers(arguments[3], "a tensor's stride");
    const ViewExtent extent = view_extent(result.shape, result.strides, offset);
    if (extent.end > part.numel) {
        refuse(fmt::format("{} elements at {} reach past a storage of {}", shape_text(result.shape),
                           offset, part.numel));
    }
    uint64_t bytes = 0;
    if (!multiply(extent.numel, item_size(result.dtype), bytes))
        refuse("a tensor's number of bytes does not fit 64 bits");
    if (extent.numel > extent.end - offset && (!add(repeated_bytes_, bytes, repeated_bytes_) ||
                                               repeated_bytes_ > limits_.repeated_bytes)) {
        refuse_unsupported(fmt::format("tensors that repeat their elements (stride 0) would take "
                                       "more than the limit of {} bytes",
                                       limits_.repeated_bytes));
    }
    if (!add(viewed_bytes_, bytes, viewed_bytes_) || viewed_bytes_ > limits_.tensor_bytes) {
        refuse_unsupported(
            fmt::format("the tensors have more bytes than the limit of {}", limits_.tensor_bytes));
    }
    result.offset = int64_t(part.offset + offset); // both lie inside the storage
    return result;
}

} // namespace tvw
