// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/zip_directory.h"

#include <string_view>
#include <vector>

namespace tvw {

/// A zip archive in which nothing is ambiguous: the central directory is trusted after it was
/// compared with the local headers, names are plain and unique, entries lie one after another
/// and fill the file. Errors: kCorruptFile, kNotSupported.
class ZipArchive {
public:
    ZipArchive(const Source &source, const CheckpointLimits &limits);

    /// Sorted by name.
    const std::vector<ZipEntry> &entries() const { return entries_; }
    /// nullptr if there is none.
    const ZipEntry *find(std::string_view name) const;

private:
    void check_names() const;
    void check_entry(ZipEntry &entry) const;
    void check_ranges(uint64_t end) const;

    Source source_;
    std::vector<ZipEntry> entries_;
};

} // namespace tvw
