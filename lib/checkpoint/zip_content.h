// SPDX-License-Identifier: LGPL-2.1-or-later
// The bytes of zip entries: their checksums, and archives that only wrap another file.
#pragma once

#include "checkpoint/zip_directory.h"

#include <cstddef>
#include <span>

namespace tvw {

/// Error(kCorruptFile) if `bytes`, all of the entry's, do not have its checksum. 0 stands for "not
/// known": torch.save can be told to leave it out.
void verify_crc(const Source &source, const ZipEntry &entry, std::span<const std::byte> bytes);
/// The same for a stored entry, reading it in pieces.
void verify_crc(const Source &source, const ZipEntry &entry);

/// The file that a stored or deflated entry holds, its checksum verified.
Source unwrap(const Source &source, const ZipEntry &entry, const CheckpointLimits &limits);

} // namespace tvw
