// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/globals.h"
#include "checkpoint/pickle.h"

#include <tvw/checkpoint.h>

#include <map>
#include <span>
#include <string>

namespace tvw {

/// Makes storages, tensors and dicts in a Pickle from what REDUCE and BINPERSID name, the way
/// torch._utils does. Everything it makes has been checked; anything odd is a PickleRefusal.
class Rebuilder {
public:
    /// No storage can have more bytes than the file, `file_bytes`.
    Rebuilder(Pickle &pickle, const CheckpointLimits &limits, uint64_t file_bytes)
        : pickle_(pickle), limits_(limits), file_bytes_(file_bytes) {}

    /// REDUCE: the result of calling `callee` with the items of the tuple `arguments`.
    PickleValue call(const PickleValue &callee, const PickleValue &arguments);
    /// BINPERSID: the storage that the tuple `id` describes.
    PickleValue storage(const PickleValue &id);

private:
    using Arguments = std::span<const PickleValue>;

    PickleValue ordered_dict(Arguments arguments);
    PickleValue tensor(Arguments arguments);
    PickleValue quantized_tensor(Arguments arguments);
    PickleValue add_tensor(PickledTensor tensor);
    PickledTensor view(Arguments arguments);
    void charge(uint64_t items);
    size_t declare_storage(const std::string &key, DType dtype, uint64_t numel, uint64_t at);

    Pickle &pickle_;
    const CheckpointLimits &limits_;
    uint64_t file_bytes_;
    uint64_t total_bytes_ = 0;
    uint64_t viewed_bytes_ = 0;
    uint64_t repeated_bytes_ = 0;
    uint64_t charged_items_ = 0;
    std::map<std::string, size_t, std::less<>> storage_index_;
};

} // namespace tvw
