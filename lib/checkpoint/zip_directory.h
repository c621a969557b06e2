// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/source.h"

#include <tvw/checkpoint.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tvw {

/// One entry as the central directory describes it, not compared with the archive yet.
struct ZipEntry {
    std::string name;
    uint64_t at = 0;     ///< offset of its central header
    uint64_t header = 0; ///< offset of its local header
    uint64_t next = 0;   ///< offset of what follows the entry; this and data are set by ZipArchive
    uint64_t data = 0;   ///< offset of its bytes, once it is open
    uint64_t packed_size = 0;
    uint64_t size = 0;
    uint32_t crc = 0;
    uint16_t flags = 0;
    uint16_t method = 0;
};

struct ZipDirectory {
    std::vector<ZipEntry> entries;
    uint64_t begin = 0; ///< offset of the central directory: where the entries must end
};

/// Bit 3: sizes and checksum follow the entry's bytes.
constexpr uint16_t kZipDescriptor = 1 << 3;
constexpr uint16_t kZipStored = 0;
constexpr uint16_t kZipDeflated = 8;

/// Reads the end records, which must be the last bytes of the file, and the central directory,
/// which must stand directly before them. Knows ZIP64. Errors: kCorruptFile, kNotSupported.
ZipDirectory read_zip_directory(const Source &source, const CheckpointLimits &limits);

} // namespace tvw
