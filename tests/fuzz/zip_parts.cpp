// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fuzz/zip_parts.h"

#include "checkpoint/zip_directory.h"
#include "fuzz/target.h"
#include "support/checkpoint_bytes.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstring>

namespace tvw::fuzz {
namespace {

constexpr size_t kLocalSize = 30;
constexpr size_t kCentralSize = 46;
constexpr uint32_t kNotHere = 0xffffffff;

template<typename T>
std::string number(uint64_t value) {
    const auto narrow = T(value);
    return {reinterpret_cast<const char *>(&narrow), sizeof narrow};
}

template<typename T>
T number_at(std::string_view text, size_t offset) {
    T value{};
    if (offset <= text.size() && sizeof value <= text.size() - offset)
        std::memcpy(&value, text.data() + offset, sizeof value);
    return value;
}

/// The extra field without ZIP64's part, which is written anew.
std::string without_zip64(std::string_view extra) {
    std::string rest;
    while (extra.size() >= 4) {
        const size_t size = 4U + number_at<uint16_t>(extra, 2);
        if (number_at<uint16_t>(extra, 0) != 1)
            rest += extra.substr(0, size);
        extra.remove_prefix(std::min(size, extra.size()));
    }
    return rest + std::string(extra);
}

/// Numbers of headers: where they stand and how long they are.
struct Place {
    size_t offset;
    size_t size;
};
constexpr Place kLocalPlaces[] = {{0, 4},  {4, 2},  {6, 2},  {8, 2},  {10, 4},
                                  {14, 4}, {18, 4}, {22, 4}, {26, 2}, {28, 2}};
constexpr Place kCentralPlaces[] = {{0, 4},  {4, 2},  {6, 2},  {8, 2},  {10, 2}, {16, 4}, {20, 4},
                                    {24, 4}, {28, 2}, {30, 2}, {32, 2}, {34, 2}, {36, 2}, {42, 4}};
constexpr Place kEndPlaces[] = {{0, 4}, {4, 2}, {6, 2}, {8, 2}, {10, 2}, {12, 4}, {16, 4}, {20, 2}};
constexpr Place kLocatorPlaces[] = {{0, 4}, {4, 4}, {8, 8}, {16, 4}};
constexpr Place kEnd64Places[] = {{0, 4},  {4, 8},  {12, 2}, {16, 4}, {20, 4},
                                  {24, 8}, {32, 8}, {40, 8}, {48, 8}};

template<typename Places>
void lie(std::string &file, size_t header, const Places &places, Random &random) {
    const Place place = random.pick(places);
    const auto old = number_at<uint64_t>(file, header + place.offset);
    const uint64_t value = random.one_in(2) ? random.number() : old + random.below(9) - 4;
    if (header + place.offset + place.size <= file.size())
        std::memcpy(file.data() + header + place.offset, &value, place.size);
}

} // namespace

void ZipParts::Entry::set(const std::string &bytes, bool deflate) {
    packed = deflate ? test::deflated(bytes) : bytes;
    method = deflate ? kZipDeflated : kZipStored;
    size = bytes.size();
    crc = libdeflate_crc32(0, bytes.data(), bytes.size());
}

ZipParts::Entry *ZipParts::find(std::string_view name_end) {
    for (Entry &entry : entries) {
        if (entry.name.ends_with(name_end))
            return &entry;
    }
    return nullptr;
}

std::string ZipParts::local_header(const Entry &entry) const {
    const bool later = (entry.flags & kZipDescriptor) != 0;
    const uint64_t packed_size = entry.zip64 ? kNotHere : later ? 0 : entry.packed.size();
    const uint64_t size = entry.zip64 ? kNotHere : later ? 0 : entry.size;
    return number<uint32_t>(0x04034b50) + number<uint16_t>(20) + number<uint16_t>(entry.flags) +
           number<uint16_t>(entry.method) + number<uint32_t>(0) +
           number<uint32_t>(later ? 0 : entry.crc) + number<uint32_t>(packed_size) +
           number<uint32_t>(size) + number<uint16_t>(entry.name.size()) +
           number<uint16_t>(entry.local_extra.size()) + entry.name + entry.local_extra;
}

std::string ZipParts::central_header(const Entry &entry, uint64_t offset) const {
    std::string extra = entry.extra;
    if (entry.zip64) {
        extra += number<uint16_t>(1) + number<uint16_t>(24) + number<uint64_t>(entry.size) +
                 number<uint64_t>(entry.packed.size()) + number<uint64_t>(offset);
    }
    return number<uint32_t>(0x02014b50) + number<uint16_t>(20) + number<uint16_t>(20) +
           number<uint16_t>(entry.flags) + number<uint16_t>(entry.method) + number<uint32_t>(0) +
           number<uint32_t>(entry.crc) +
           number<uint32_t>(entry.zip64 ? kNotHere : entry.packed.size()) +
           number<uint32_t>(entry.zip64 ? kNotHere : entry.size) +
           number<uint16_t>(entry.name.size()) + number<uint16_t>(extra.size()) +
           number<uint16_t>(entry.comment.size()) + number<uint16_t>(0) + number<uint16_t>(0) +
           number<uint32_t>(0) + number<uint32_t>(entry.zip64 ? kNotHere : offset) + entry.name +
           extra + entry.comment;
}

std::string ZipParts::bytes() const {
    std::string file;
    std::string directory;
    for (const Entry &entry : entries) {
        directory += central_header(entry, file.size());
        file += local_header(entry) + entry.packed + entry.descriptor;
    }
    const uint64_t begin = file.size();
    const uint64_t end = begin + directory.size();
    file += directory;
    if (zip64) {
        file += number<uint32_t>(0x06064b50) + number<uint64_t>(44) + number<uint32_t>(0) +
                number<uint64_t>(0) + number<uint64_t>(entries.size()) +
                number<uint64_t>(entries.size()) + number<uint64_t>(directory.size()) +
                number<uint64_t>(begin);
        file += number<uint32_t>(0x07064b50) + number<uint32_t>(0) + number<uint64_t>(end) +
                number<uint32_t>(1);
    }
    return file + number<uint32_t>(0x06054b50) + number<uint32_t>(0) +
           number<uint16_t>(entries.size()) + number<uint16_t>(entries.size()) +
           number<uint32_t>(directory.size()) + number<uint32_t>(begin) + number<uint16_t>(0);
}

std::string ZipParts::bytes_with_lie(Random &random) const {
    std::string file = bytes();
    size_t local = 0;
    size_t central = 0;
    for (const Entry &entry : entries)
        central += local_header(entry).size() + entry.packed.size() + entry.descriptor.size();
    for (size_t skip = random.below(entries.size()); skip > 0; --skip) {
        const Entry &entry = entries[skip - 1];
        local += local_header(entry).size() + entry.packed.size() + entry.descriptor.size();
        central += central_header(entry, 0).size();
    }
    constexpr size_t kEnd = 22;
    constexpr size_t kLocator = 20;
    constexpr size_t kEnd64 = 56;
    switch (random.below(zip64 ? 6 : 4)) {
    case 0:
        lie(file, local, kLocalPlaces, random);
        break;
    case 1:
    case 2:
        lie(file, central, kCentralPlaces, random);
        break;
    case 3:
        if (random.one_in(3)) { // the two counts together
            const std::string count = number<uint16_t>(random.number());
            file.replace(file.size() - kEnd + 8, 4, count + count);
        } else {
            lie(file, file.size() - kEnd, kEndPlaces, random);
        }
        break;
    case 4:
        lie(file, file.size() - kEnd - kLocator, kLocatorPlaces, random);
        break;
    default:
        lie(file, file.size() - kEnd - kLocator - kEnd64, kEnd64Places, random);
    }
    return file;
}

std::optional<ZipParts> take_apart(const std::string &file) {
    static MemoryFile memory;
    memory.set(reinterpret_cast<const uint8_t *>(file.data()), file.size());
    const InputFile input(memory.path(), file.size());
    ZipDirectory directory;
    try {
        directory = read_zip_directory(Source(input), {});
    } catch (const Error &) {
        return std::nullopt;
    }
    auto &entries = directory.entries;
    std::stable_sort(entries.begin(), entries.end(),
                     [](const ZipEntry &a, const ZipEntry &b) { return a.header < b.header; });
    ZipParts parts;
    parts.zip64 = file.size() > 42 && number_at<uint32_t>(file, file.size() - 42) == 0x07064b50;
    for (size_t i = 0; i < entries.size(); ++i) {
        const ZipEntry &entry = entries[i];
        const uint64_t end = i + 1 < entries.size() ? entries[i + 1].header : directory.begin;
        const uint64_t skipped = kLocalSize + number_at<uint16_t>(file, entry.header + 26);
        const uint64_t extra = number_at<uint16_t>(file, entry.header + 28);
        if (end > file.size() || entry.header > end || skipped + extra > end - entry.header)
            return std::nullopt;
        const uint64_t data = entry.header + skipped + extra;
        const uint64_t size = std::min(entry.packed_size, end - data);
        ZipParts::Entry part{
            entry.name, file.substr(data, size), entry.size, entry.crc, entry.flags, entry.method};
        part.local_extra = file.substr(data - extra, extra);
        part.extra = without_zip64(std::string_view(file).substr(
            entry.at + kCentralSize + entry.name.size(), number_at<uint16_t>(file, entry.at + 30)));
        part.descriptor = file.substr(data + size, end - data - size);
        part.zip64 = number_at<uint32_t>(file, entry.at + 24) == kNotHere;
        parts.entries.push_back(std::move(part));
    }
    return parts;
}

} // namespace tvw::fuzz
