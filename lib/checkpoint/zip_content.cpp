// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/zip_content.h"

#include "base/text.h"
#include "checkpoint/checked.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace tvw {
namespace {

constexpr size_t kChunk = size_t{64} << 10;

uLong extend_crc(uLong crc, std::span<const std::byte> bytes) {
    return crc32_z(crc, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size());
}

void compare_crc(const Source &source, const ZipEntry &entry, uLong crc) {
    if (crc != entry.crc) {
        source.corrupt(entry.data, fmt::format("zip entry {} has checksum {:08x}, expected {:08x}",
                                               in_quotes(entry.name), crc, entry.crc));
    }
}

/// zlib's state for deflate without a header, as zips hold it.
class Inflater {
public:
    Inflater() {
        if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK)
            throw Error(ErrorKind::kInternal, "zlib cannot be initialised");
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater &) = delete;
    Inflater &operator=(const Inflater &) = delete;

    z_stream &operator*() { return stream_; }

private:
    z_stream stream_{};
};

/// Exactly `entry.size` bytes, or kCorruptFile.
std::shared_ptr<Storage> inflate_entry(const Source &source, const ZipEntry &entry) {
    auto storage = std::make_shared<Storage>(entry.size);
    const std::span<std::byte> dst(storage->data(), storage->size());
    std::array<std::byte, kChunk> chunk;
    Inflater inflater;
    z_stream &stream = *inflater;
    uint64_t read = 0;
    uint64_t written = 0;
    int state = Z_OK;
    while (state == Z_OK) {
        if (stream.avail_in == 0) {
            const auto part =
                std::span(chunk).first(std::min<uint64_t>(kChunk, entry.packed_size - read));
            source.read(entry.data + read, part);
            read += part.size();
            stream.next_in = reinterpret_cast<Bytef *>(part.data());
            stream.avail_in = uInt(part.size());
        }
        // zlib counts in 32 bits, so a large file is filled piece by piece.
        const auto target = dst.subspan(written, std::min<uint64_t>(kChunk, dst.size() - written));
        stream.next_out = reinterpret_cast<Bytef *>(target.data());
        stream.avail_out = uInt(target.size());
        state = inflate(&stream, Z_NO_FLUSH);
        written += target.size() - stream.avail_out;
    }
    if (state != Z_STREAM_END || written != entry.size || read != entry.packed_size ||
        stream.avail_in != 0) {
        source.corrupt(entry.data, "zip entry " + in_quotes(entry.name) +
                                       " cannot be unpacked to " + std::to_string(entry.size) +
                                       " bytes");
    }
    return storage;
}

} // namespace

void verify_crc(const Source &source, const ZipEntry &entry, std::span<const std::byte> bytes) {
    if (entry.crc != 0)
        compare_crc(source, entry, extend_crc(0, bytes));
}

void verify_crc(const Source &source, const ZipEntry &entry) {
    if (entry.crc == 0)
        return;
    std::array<std::byte, kChunk> chunk;
    uLong crc = 0;
    for (uint64_t done = 0; done < entry.size;) {
        const auto part = std::span(chunk).first(std::min<uint64_t>(kChunk, entry.size - done));
        source.read(entry.data + done, part);
        crc = extend_crc(crc, part);
        done += part.size();
    }
    compare_crc(source, entry, crc);
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
    verify_crc(source, entry, {bytes->data(), bytes->size()});
    return source.unpacked(std::move(bytes));
}

} // namespace tvw
