// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/zip_directory.h"

#include "base/text.h"
#include "checkpoint/byte_reader.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace tvw {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocatorSignature = 0x07064b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint64_t kEndSize = 22;
constexpr uint64_t kLocatorSize = 20;
constexpr uint64_t kEnd64Size = 56;
constexpr uint64_t kCentralSize = 46;
constexpr uint16_t kExtra64 = 1;
constexpr uint16_t kNotHere16 = 0xffff; ///< "see the ZIP64 record"
constexpr uint32_t kNotHere32 = 0xffffffff;

/// Where the central directory is said to be.
struct EndRecord {
    uint64_t entries = 0;
    uint64_t size = 0;
    uint64_t begin = 0;
    uint64_t end = 0; ///< offset of the first end record: where the directory must end
};

template<typename T>
T field(std::string_view record, size_t offset) {
    T value;
    std::memcpy(&value, record.data() + offset, sizeof value);
    return value;
}

/// Replaces what the plain record could not hold.
void read_end64(const Source &source, uint64_t plain_end, EndRecord &record) {
    if (plain_end < kLocatorSize + kEnd64Size ||
        source.number<uint32_t>(plain_end - kLocatorSize) != kLocatorSignature) {
        if (record.entries == kNotHere16 || record.size == kNotHere32 || record.begin == kNotHere32)
            source.corrupt(plain_end, "the zip's ZIP64 end record is missing");
        return;
    }
    const uint64_t locator = plain_end - kLocatorSize;
    const uint64_t at = locator - kEnd64Size;
    if (source.number<uint64_t>(locator + 8) != at ||
        source.number<uint32_t>(at) != kEnd64Signature)
        source.corrupt(locator, "the zip's ZIP64 locator does not name the record before it");
    const auto entries = source.number<uint64_t>(at + 32);
    const auto size = source.number<uint64_t>(at + 40);
    const auto begin = source.number<uint64_t>(at + 48);
    const auto agree = [](uint64_t plain, uint64_t not_here, uint64_t full) {
        return plain == not_here || plain == full;
    };
    if (source.number<uint64_t>(at + 24) != entries || source.number<uint32_t>(at + 16) != 0 ||
        source.number<uint32_t>(at + 20) != 0 || !agree(record.entries, kNotHere16, entries) ||
        !agree(record.size, kNotHere32, size) || !agree(record.begin, kNotHere32, begin))
        source.corrupt(at, "the zip's two end records disagree");
    record = {entries, size, begin, at};
}

EndRecord read_end(const Source &source) {
    if (source.size() < kEndSize ||
        source.number<uint32_t>(source.size() - kEndSize) != kEndSignature) {
        source.corrupt(source.size(), "the zip archive does not end with its end record; is the "
                                      "download complete?");
    }
    const uint64_t at = source.size() - kEndSize;
    EndRecord record{source.number<uint16_t>(at + 10), source.number<uint32_t>(at + 12),
                     source.number<uint32_t>(at + 16), at};
    if (source.number<uint16_t>(at + 20) != 0)
        source.corrupt(at, "the zip's end record promises a comment that is not there");
    if (source.number<uint16_t>(at + 4) != 0 || source.number<uint16_t>(at + 6) != 0 ||
        source.number<uint16_t>(at + 8) != record.entries)
        source.unsupported(at, "a zip archive in several parts");
    read_end64(source, at, record);
    if (record.begin > record.end || record.size != record.end - record.begin)
        source.corrupt(at, "the zip's central directory does not end at its end record");
    return record;
}

/// Sizes and offset that were too large for their 32-bit fields.
void read_extra64(const Source &source, std::string_view extra, ZipEntry &entry) {
    const auto bad = [&] {
        source.corrupt(entry.at, in_quotes(entry.name) + " has a damaged extra field");
    };
    bool found = false;
    while (!extra.empty()) {
        if (extra.size() < 4 || extra.size() - 4 < field<uint16_t>(extra, 2))
            bad();
        const auto id = field<uint16_t>(extra, 0);
        std::string_view body = extra.substr(4, field<uint16_t>(extra, 2));
        extra.remove_prefix(4 + body.size());
        if (id != kExtra64)
            continue;
        if (std::exchange(found, true))
            bad();
        for (uint64_t *value : {&entry.size, &entry.packed_size, &entry.header}) {
            if (*value != kNotHere32)
                continue;
            if (body.size() < sizeof(uint64_t))
                bad();
            *value = field<uint64_t>(body, 0);
            body.remove_prefix(sizeof(uint64_t));
        }
    }
}

ZipEntry read_entry(const Source &source, ByteReader &reader, const CheckpointLimits &limits) {
    ZipEntry entry;
    entry.at = reader.position();
    const std::string_view header = reader.take(kCentralSize);
    if (field<uint32_t>(header, 0) != kCentralSignature)
        source.corrupt(entry.at, "a central header of the zip must begin here");
    entry.flags = field<uint16_t>(header, 8);
    entry.method = field<uint16_t>(header, 10);
    entry.crc = field<uint32_t>(header, 16);
    entry.packed_size = field<uint32_t>(header, 20);
    entry.size = field<uint32_t>(header, 24);
    entry.header = field<uint32_t>(header, 42);
    const auto name_size = field<uint16_t>(header, 28);
    const auto extra_size = field<uint16_t>(header, 30);
    const auto comment_size = field<uint16_t>(header, 32);
    const auto disk = field<uint16_t>(header, 34);
    if (name_size > limits.string_bytes) {
        source.unsupported(entry.at, fmt::format("a name of {} bytes, more than the limit of {}",
                                                 name_size, limits.string_bytes));
    }
    entry.name = reader.take(name_size);
    if (disk != 0)
        source.unsupported(entry.at, "a zip archive in several parts");
    read_extra64(source, reader.take(extra_size), entry);
    reader.take(comment_size);
    return entry;
}

} // namespace

ZipDirectory read_zip_directory(const Source &source, const CheckpointLimits &limits) {
    const EndRecord record = read_end(source);
    if (record.entries > limits.zip_entries) {
        source.unsupported(record.end, fmt::format("a zip of {} entries, more than the limit of {}",
                                                   record.entries, limits.zip_entries));
    }
    if (record.size > limits.pickle_bytes) {
        source.unsupported(record.begin, fmt::format("a zip directory of {} bytes, more than the "
                                                     "limit of {}",
                                                     record.size, limits.pickle_bytes));
    }
    if (record.entries > record.size / kCentralSize) {
        source.corrupt(record.end, fmt::format("the zip's directory is too short for {} entries",
                                               record.entries));
    }
    ZipDirectory directory;
    directory.begin = record.begin;
    ByteReader reader(source, record.begin, record.end,
                      "the zip's central directory ends in the middle of an entry");
    for (uint64_t i = 0; i < record.entries; ++i)
        directory.entries.push_back(read_entry(source, reader, limits));
    if (reader.remaining() != 0)
        source.corrupt(reader.position(), "the zip's directory has more bytes than entries");
    return directory;
}

} // namespace tvw
