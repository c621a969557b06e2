// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/assemble.h"

#include "base/text.h"
#include "checkpoint/globals.h"
#include "checkpoint/quantization.h"
#include "checkpoint/wrapper.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace tvw {
namespace {

class Assembler {
public:
    Assembler(const Source &source, const Pickle &pickle, const StorageReader &read_storage)
        : source_(source),
          pickle_(pickle),
          read_storage_(read_storage),
          storages_(pickle.storages.size()),
          tensors_(pickle.tensors.size()) {}

    /// Nothing for None: an absent tensor is an absent entry.
    std::optional<StateValue> value(const PickleValue &value);

private:
    const HostTensor &tensor(size_t index);
    std::shared_ptr<Storage> storage(size_t index);

    const Source &source_;
    const Pickle &pickle_;
    const StorageReader &read_storage_;
    std::vector<std::shared_ptr<Storage>> storages_;
    std::vector<std::optional<HostTensor>> tensors_;
};

std::optional<StateValue> Assembler::value(const PickleValue &value) {
    switch (value.type) {
    case PickleType::kNone:
        return std::nullopt;
    case PickleType::kTensor:
        return tensor(value.index());
    case PickleType::kTuple: {
        const auto &items = pickle_.items(value);
        const bool has_bias = items.size() == 2 && items[1].type != PickleType::kNone;
        if (items.size() != 2 || items[0].type != PickleType::kTensor ||
            (has_bias && items[1].type != PickleType::kTensor))
            refuse_unsupported("a tuple other than the (weight, bias) of a quantized layer");
        std::vector<HostTensor> pair{tensor(items[0].index())};
        if (has_bias)
            pair.push_back(tensor(items[1].index()));
        return pair;
    }
    case PickleType::kGlobal:
        if (global_entry(value.index()).global == Global::kDType)
            return global_entry(value.index()).dtype;
        [[fallthrough]];
    default:
        refuse_unsupported(
            fmt::format("{} where a state dict has a tensor", type_text(value.type)));
    }
}

const HostTensor &Assembler::tensor(size_t index) {
    std::optional<HostTensor> &made = tensors_[index];
    if (made)
        return *made;
    const PickledTensor &plan = pickle_.tensors[index];
    std::shared_ptr<const Quantization> quantization;
    if (plan.quantization) {
        // Scales are plain tensors: this goes one level deep and no further.
        const TensorLoader load = [this](size_t scales) { return tensor(scales); };
        quantization =
            std::make_shared<const Quantization>(resolve_quantization(pickle_, plan, load));
    }
    made.emplace(plan.dtype, plan.shape, plan.strides, plan.offset, storage(plan.storage),
                 std::move(quantization));
    return *made;
}

std::shared_ptr<Storage> Assembler::storage(size_t index) {
    std::shared_ptr<Storage> &read = storages_[index];
    if (read)
        return read;
    read = read_storage_(index);
    // C++ may not even look at a bool that is neither 0 nor 1.
    const PickledStorage &plan = pickle_.storages[index];
    if (plan.dtype == DType::kBool &&
        std::any_of(read->data(), read->data() + read->size(),
                    [](std::byte byte) { return byte > std::byte{1}; })) {
        source_.corrupt(plan.at,
                        "storage " + in_quotes(plan.key) + " of bools holds other numbers");
    }
    return read;
}

} // namespace

Checkpoint assemble(const Source &source, const Pickle &pickle, const CheckpointOptions &options,
                    const StorageReader &read_storage) {
    const FoundStateDict found = find_state_dict(source, pickle, options.state_dict_key);
    Assembler assembler(source, pickle, read_storage);
    Checkpoint checkpoint;
    checkpoint.state_dict_key = found.key;
    StateDict &state_dict = checkpoint.state_dict;
    std::set<std::string_view> keys; // with those of None, which leave no entry
    const auto &items = pickle.items(found.dict);
    for (size_t i = 0; i < items.size(); i += 2) {
        const PickleValue &key = items[i];
        if (key.type != PickleType::kString) {
            source.unsupported(key.at, fmt::format("a key of the state dict is {}, not a string",
                                                   type_text(key.type)));
        }
        const std::string &name = pickle.string(key);
        if (!keys.insert(name).second)
            source.corrupt(key.at, "the key " + in_quotes(name) + " is there twice");
        if (state_dict.size() >= options.limits.tensors) {
            source.unsupported(
                key.at, fmt::format("more tensors than the limit of {}", options.limits.tensors));
        }
        try {
            if (auto value = assembler.value(items[i + 1]))
                state_dict.add(name, std::move(*value));
        } catch (const PickleRefusal &refusal) {
            source.fail(refusal.kind, items[i + 1].at, in_quotes(name) + ": " + refusal.what);
        }
    }
    return checkpoint;
}

} // namespace tvw
