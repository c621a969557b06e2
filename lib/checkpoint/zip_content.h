// SPDX-License-Identifier: LGPL-2.1-or-later
// The bytes of zip entries: their checksums, and archives that only wrap another file.
#pragma once

#include "checkpoint/zip_directory.h"

#include <cstddef>
#include <span>

namespace tvw {

/// Fills `bytes` with all of a stored entry's. Error(kCorruptFile) if they do not have its
/// checksum. 0 stands for "not known": torch.save can be told to leave it out.
void read_entry(const Source &source, const ZipEntry &entry, std::span<std::byte> bytes);
/// Reads a stored entry for its checksum alone.
void verify_crc(const Source &source, const ZipEntry &entry);

/// The file that a stored or deflated entry holds, its checksum verified.
Source unwrap(const Source &source, const ZipEntry &entry, const CheckpointLimits &limits);

} // namespace tvw
