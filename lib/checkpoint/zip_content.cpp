// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/zip_content.h"

#include "base/text.h"
#include "checkpoint/checked.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <utility>

namespace tvw {
namespace {

constexpr size_t kChunk = size_t{64} << 10;

uint32_t extend_crc(uint32_t crc, std::span<const std::byte> bytes) {
    return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

void compare_crc(const Source &source, const ZipEntry &entry, uint32_t crc) {
    if (crc != entry.crc) {
        source.corrupt(entry.data, fmt::format("zip entry {} has checksum {:08x}, expected {:08x}",
                                               in_quotes(entry.name), crc, entry.crc));
    }
}

/// Exactly `entry.size` bytes, or kCorruptFile.
std::shared_ptr<Storage> inflate_entry(const Source &source, const ZipEntry &entry) {
    Storage packed(entry.packed_size);
    auto unpacked = std::make_shared<Storage>(entry.size);
    source.read(entry.data, {packed.data(), packed.size()});
    const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
        decompressor(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    if (!decompressor)
        throw std::bad_alloc();
    size_t read = 0;
    size_t written = 0;
    const libdeflate_result result =
        libdeflate_deflate_decompress_ex(decompressor.get(), packed.data(), packed.size(),
                                         unpacked->data(), unpacked->size(), &read, &written);
    if (result != LIBDEFLATE_SUCCESS || written != unpacked->size() || read != packed.size()) {
        source.corrupt(entry.data, "zip entry " + in_quotes(entry.name) +
                                       " cannot be unpacked to " + std::to_string(entry.size) +
                                       " bytes");
    }
    return unpacked;
}

/// Reads a stored entry in parts, each to where `target(done, size)` says, and adds it to the
/// checksum while it is in the processor's cache.
template<typename Target>
void read_parts(const Source &source, const ZipEntry &entry, const Target &target) {
    uint32_t crc = 0;
    for (uint64_t done = 0; done < entry.size;) {
        const std::span<std::byte> part =
            target(done, size_t(std::min<uint64_t>(kChunk, entry.size - done)));
        source.read(entry.data + done, part);
        if (entry.crc != 0)
            crc = extend_crc(crc, part);
        done += part.size();
    }
    compare_crc(source, entry, crc);
}

} // namespace

void read_entry(const Source &source, const ZipEntry &entry, std::span<std::byte> bytes) {
    read_parts(source, entry,
               [bytes](uint64_t done, size_t size) { return bytes.subspan(done, size); });
}

void verify_crc(const Source &source, const ZipEntry &entry) {
    if (entry.crc == 0)
        return;
    std::array<std::byte, kChunk> chunk;
    read_parts(source, entry,
               [&chunk](uint64_t /*done*/, size_t size) { return std::span(chunk).first(size); });
}

Source unwrap(const Source &source, const ZipEntry &entry, const CheckpointLimits &limits) {
    if (entry.method == kZipStored) {
        verify_crc(source, entry);
        return source.part(entry.data, entry.size);
    }
    if (entry.method != kZipDeflated) {
        source.unsupported(entry.at,
                           fmt::format("{} is compressed (method {}); only deflate is read",
                                       in_quotes(entry.name), entry.method));
    }
    constexpr uint64_t kAlwaysAllowed = 1 << 20; // a small file may be all zeros
    uint64_t largest = 0;
    if (!multiply(entry.packed_size, limits.unpack_ratio, largest) ||
        !add(largest, kAlwaysAllowed, largest) || largest > limits.file_bytes)
        largest = limits.file_bytes;
    if (entry.size > largest) {
        source.unsupported(
            entry.at, fmt::format("{} unpacks from {} to {} bytes, more than the limit of {}",
                                  in_quotes(entry.name), entry.packed_size, entry.size, largest));
    }
    auto bytes = inflate_entry(source, entry);
    if (entry.crc != 0)
        compare_crc(source, entry, extend_crc(0, {bytes->data(), bytes->size()}));
    return source.unpacked(std::move(bytes));
}

} // namespace tvw
