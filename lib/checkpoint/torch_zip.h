// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/zip_archive.h"

#include <tvw/checkpoint.h>

namespace tvw {

/// Reads what torch.save has written since PyTorch 1.6: in a zip, `<stem>/data.pkl` and one entry
/// `<stem>/data/<key>` per storage. Leaves path, container and digest alone.
/// Errors: kCorruptFile, kNotSupported, kMismatch.
Checkpoint read_torch_zip(const Source &source, ZipArchive &archive,
                          const CheckpointOptions &options);

} // namespace tvw
