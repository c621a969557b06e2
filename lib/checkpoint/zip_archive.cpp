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
    for (ZipEntry &entry : entries_)
        check_entry(entry);
    check_ranges(directory.begin);
}

const ZipEntry *ZipArchive::find(std::string_view name) const {
    const auto entry = std::lower_bound(
        entries_.begin(), entries_.end(), name,
        [](const ZipEntry &e, std::string_view wanted) { return e.name < wanted; });
    return entry != entries_.end() && entry->name == name ? &*entry : nullptr;
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

/// Compares an entry with its local header and finds its bytes.
void ZipArchive::check_entry(ZipEntry &entry) const {
    const auto corrupt = [&](std::string_view what) {
        source_.corrupt(entry.header, fmt::format("zip entry {} {}", in_quotes(entry.name), what));
    };
    if ((entry.flags & kEncrypted) != 0)
        source_.unsupported(entry.at, in_quotes(entry.name) + " is encrypted");
    if (entry.method == kZipStored && entry.size != entry.packed_size)
        corrupt("has two sizes");
    if (entry.header > source_.size() ||
        source_.size() - entry.header < kLocalSize + entry.name.size()) {
        source_.corrupt(entry.at, fmt::format("zip entry {} has its local header at byte {}, past "
                                              "the end of the file",
                                              in_quotes(entry.name), entry.header));
    }
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
    entry.data = entry.header + kLocalSize + name_size + extra_size;
    if (entry.data > source_.size() || entry.packed_size > source_.size() - entry.data)
        corrupt(fmt::format("of {} bytes reaches past the end of the file", entry.packed_size));
}

/// From the first byte to the directory there is nothing but entries and their descriptors.
void ZipArchive::check_ranges(uint64_t end) const {
    std::vector<const ZipEntry *> order;
    for (const ZipEntry &entry : entries_)
        order.push_back(&entry);
    std::sort(order.begin(), order.end(),
              [](const ZipEntry *a, const ZipEntry *b) { return a->header < b->header; });
    uint64_t earliest = 0; // where the next entry may begin
    uint64_t latest = 0;   // and where it must have begun
    const auto check = [&](uint64_t next) {
        if (next < earliest)
            source_.corrupt(next, "zip entries overlap");
        if (next > latest)
            source_.corrupt(latest, "bytes that belong to no zip entry");
    };
    for (const ZipEntry *entry : order) {
        check(entry->header);
        earliest = entry->data + entry->packed_size;
        latest = earliest + ((entry->flags & kZipDescriptor) != 0 ? kDescriptorSize : 0);
    }
    check(end);
}

} // namespace tvw
