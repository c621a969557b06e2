// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/source.h"

#include <tvw/checkpoint.h>

namespace tvw {

/// Reads what torch.save wrote before PyTorch 1.6: five pickles (magic number, protocol, system,
/// the object, the storages' keys), then per key an int64 count and the elements.
/// Leaves path, container and digest alone. Errors: kCorruptFile, kNotSupported, kMismatch.
Checkpoint read_legacy(const Source &source, const CheckpointOptions &options);

} // namespace tvw
