// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "fuzz/random.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tvw::fuzz {

/// A zip archive taken apart, so that its parts can be changed and put together to a sound one.
struct ZipParts {
    struct Entry {
        std::string name;
        std::string packed; ///< the bytes as the archive holds them
        uint64_t size = 0;  ///< unpacked
        uint32_t crc = 0;
        uint16_t flags = 0;
        uint16_t method = 0;
        std::string local_extra = {};
        std::string extra = {};
        std::string comment = {};
        std::string descriptor = {}; ///< what follows the bytes
        bool zip64 = false;          ///< sizes and offset stand in an extra field

        /// New bytes, stored or deflated.
        void set(const std::string &bytes, bool deflate = false);
    };

    std::vector<Entry> entries;
    bool zip64 = false; ///< with ZIP64's end record

    Entry *find(std::string_view name_end);
    std::string bytes() const;
    /// The same, with one number of a header replaced.
    std::string bytes_with_lie(Random &random) const;

private:
    std::string local_header(const Entry &entry) const;
    std::string central_header(const Entry &entry, uint64_t offset) const;
};

/// Nothing where the file's directory cannot be read.
std::optional<ZipParts> take_apart(const std::string &file);

} // namespace tvw::fuzz
