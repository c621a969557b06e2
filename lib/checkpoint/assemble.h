// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/pickle.h"
#include "checkpoint/source.h"

#include <tvw/checkpoint.h>

#include <functional>
#include <memory>

namespace tvw {

/// Reads all bytes of the storage with this index in `Pickle::storages`; called once for each
/// storage that the state dict uses.
using StorageReader = std::function<std::shared_ptr<Storage>(size_t)>;

/// Turns the state dict in a pickle into tensors with contents; what stands beside it is never
/// read. Fills in the state dict and its key alone. Errors: kCorruptFile, kNotSupported, kMismatch.
Checkpoint assemble(const Source &source, const Pickle &pickle, const CheckpointOptions &options,
                    const StorageReader &read_storage);

} // namespace tvw
