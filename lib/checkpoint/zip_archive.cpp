// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/zip_archive.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

namespace tvw {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint64_t kLocalSize = 30;
constexpr uint16_t kEncrypted = 1 << 0 | 1 << 6 | 1 << 13;
constexpr uint64_t kDescriptorSize = 24; ///< the longest of the four forms

/// Fit to be part of a path, though it never becomes one.
bool is_plain_name(std::string_view name) {
    if (!is_utf8(name) || name.find('\\') != name.npos || name.find('\0') != name.npos)
        return false;
    for (size_t begin = 0; begin <= name.size();) {
        const size_t end = std::min(name.find('/', begin), name.size());
        const std::string_view part = name.substr(begin, end - begin);
        if (part.empty() || part == "." || part == "..")
            return false;
        begin = end + 1;
    }
    return true;
}

std::string lower_case(std::string text) {
    for (char &c : text) {
        if (c >= 'A' && c <= 'Z')
            c = char(c - 'A' + 'a');
    }
    return text;
}

} // namespace

ZipArchive::ZipArchive(const Source &source, const CheckpointLimits &limits) : source_(source) {
    ZipDirectory directory = read_zip_directory(source, limits);
    entries_ = std::move(directory.entries);
    std::sort(entries_.begin(), entries_.end(),
              [](const ZipEntry &a, const ZipEntry &b) { return a.name < b.name; });
    check_names();
    find_neighbours(directory.begin);
}

const ZipEntry *ZipArchive::find(std::string_view name) const {
    const auto entry = std::lower_bound(
        entries_.begin(), entries_.end(), name,
        [](const ZipEntry &e, std::string_view wanted) { return e.name < wanted; });
    return entry != entries_.end() && entry->name == name ? &*entry : nullptr;
}

const ZipEntry &ZipArchive::open(const ZipEntry &entry) {
    ZipEntry &own = entries_[size_t(&entry - entries_.data())];
    if (own.data == 0) // which is never right, since a local header stands before the bytes
        check_header(own);
    return own;
}

void ZipArchive::open_rest() {
    for (const ZipEntry &entry : entries_)
        open(entry);
}

/// Names that differ only in case are one name to some readers, PyTorch's among them.
void ZipArchive::check_names() const {
    std::vector<std::pair<std::string, const ZipEntry *>> lower;
    lower.reserve(entries_.size());
    for (const ZipEntry &entry : entries_) {
        if (!is_plain_name(entry.name)) {
            source_.corrupt(entry.at,
                            in_quotes(entry.name) + " is not a plain name for a zip entry");
        }
        lower.emplace_back(lower_case(entry.name), &entry);
    }
    std::sort(lower.begin(), lower.end());
    const auto twice =
        std::adjacent_find(lower.begin(), lower.end(),
                           [](const auto &a, const auto &b) { return a.first == b.first; });
    if (twice != lower.end())
        source_.corrupt(twice->second->at, in_quotes(twice->second->name) + " is in the zip twice");
}

/// Finds what follows each entry, as far as the directory tells without the local headers.
void ZipArchive::find_neighbours(uint64_t end) {
    std::vector<ZipEntry *> order;
    for (ZipEntry &entry : entries_)
        order.push_back(&entry);
    std::sort(order.begin(), order.end(),
              [](const ZipEntry *a, const ZipEntry *b) { return a->header > b->header; });
    uint64_t next = end;
    for (ZipEntry *entry : order) {
        const uint64_t header_size = kLocalSize + entry->name.size();
        if (entry->header > end || end - entry->header < header_size) {
            source_.corrupt(entry->at,
                            fmt::format("zip entry {} has its local header at byte {}, past the "
                                        "end of the entries",
                                        in_quotes(entry->name), entry->header));
        }
        check_end(*entry, entry->header + header_size, next);
        entry->next = next;
        next = entry->header;
    }
    if (next != 0)
        source_.corrupt(0, "bytes that belong to no zip entry");
}

/// Compares an entry with its local header and finds its bytes.
void ZipArchive::check_header(ZipEntry &entry) const {
    const auto corrupt = [&](std::string_view what) {
        source_.corrupt(entry.header, fmt::format("zip entry {} {}", in_quotes(entry.name), what));
    };
    if ((entry.flags & kEncrypted) != 0)
        source_.unsupported(entry.at, in_quotes(entry.name) + " is encrypted");
    if (entry.method == kZipStored && entry.size != entry.packed_size)
        corrupt("has two sizes");
    std::array<std::byte, kLocalSize> header;
    source_.read(entry.header, header);
    const auto field = [&]<typename T>(T value, size_t offset) {
        std::memcpy(&value, header.data() + offset, sizeof value);
        return value;
    };
    const uint64_t name_size = field(uint16_t{}, 26);
    const uint64_t extra_size = field(uint16_t{}, 28);
    if (field(uint32_t{}, 0) != kLocalSignature)
        corrupt("does not begin with a local header");
    if (field(uint16_t{}, 6) != entry.flags || field(uint16_t{}, 8) != entry.method ||
        name_size != entry.name.size())
        corrupt("has a local header that disagrees with the directory");
    std::string name(name_size, '\0');
    source_.read(entry.header + kLocalSize, std::as_writable_bytes(std::span(name)));
    if (name != entry.name)
        corrupt("is called " + in_quotes(name) + " in its local header");
    // With a descriptor behind the bytes, zeros are the rule here; ZIP64 writes all ones.
    const bool described = (entry.flags & kZipDescriptor) != 0;
    const auto agrees = [&](uint32_t local, uint64_t central) {
        return local == central || (described && local == 0) ||
               local == std::numeric_limits<uint32_t>::max();
    };
    const auto local_crc = field(uint32_t{}, 14);
    if (!agrees(field(uint32_t{}, 18), entry.packed_size) ||
        !agrees(field(uint32_t{}, 22), entry.size) ||
        (local_crc != entry.crc && !(described && local_crc == 0)))
        corrupt("has a local header that disagrees with the directory");
    const uint64_t data = entry.header + kLocalSize + name_size + extra_size;
    check_end(entry, data, entry.next);
    const uint64_t latest = data + entry.packed_size + (described ? kDescriptorSize : 0);
    if (entry.next > latest)
        source_.corrupt(latest, "bytes that belong to no zip entry");
    entry.data = data;
}

/// Whether an entry whose bytes begin at `data` ends before what follows.
void ZipArchive::check_end(const ZipEntry &entry, uint64_t data, uint64_t next) const {
    if (data > source_.size() || entry.packed_size > source_.size() - data) {
        source_.corrupt(entry.header,
                        fmt::format("zip entry {} of {} bytes reaches past the end of the file",
                                    in_quotes(entry.name), entry.packed_size));
    }
    if (data + entry.packed_size > next)
        source_.corrupt(next, "zip entries overlap");
}

} // namespace tvw
