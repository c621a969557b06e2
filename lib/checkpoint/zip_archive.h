// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/zip_directory.h"

#include <string_view>
#include <vector>

namespace tvw {

/// A zip archive in which nothing is ambiguous: the central directory is trusted after it was
/// compared with the local headers, names are plain and unique, entries lie one after another
/// and fill the file. A local header is read when its entry is, since reading all of them
/// beforehand makes a disk jump; open_rest() leaves none unread.
/// Errors: kCorruptFile, kNotSupported.
class ZipArchive {
public:
    ZipArchive(const Source &source, const CheckpointLimits &limits);

    /// Sorted by name.
    const std::vector<ZipEntry> &entries() const { return entries_; }
    /// nullptr if there is none.
    const ZipEntry *find(std::string_view name) const;

    /// The entry, compared with its local header and its neighbours, with its bytes' offset.
    const ZipEntry &open(const ZipEntry &entry);
    /// Compares all that were not opened.
    void open_rest();

private:
    void check_names() const;
    void find_neighbours(uint64_t end);
    void check_header(ZipEntry &entry) const;
    void check_end(const ZipEntry &entry, uint64_t data, uint64_t next) const;

    Source source_;
    std::vector<ZipEntry> entries_;
};

} // namespace tvw
