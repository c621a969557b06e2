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

/// Turns the top object of a pickle, which must be a state dict, into tensors with contents.
/// Errors: kCorruptFile, kNotSupported.
StateDict assemble(const Source &source, const Pickle &pickle, const CheckpointLimits &limits,
                   const StorageReader &read_storage);

} // namespace tvw
