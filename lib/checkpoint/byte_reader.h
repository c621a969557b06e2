// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/source.h"

#include <cstring>
#include <string_view>
#include <vector>

namespace tvw {

/// Reads a range of a Source forward through a small buffer, so that nothing is allocated for what
/// the range claims to hold.
class ByteReader {
public:
    /// `end_reason` is the error when more is asked for than the range has.
    ByteReader(const Source &source, uint64_t begin, uint64_t end, std::string end_reason);

    /// Offset in the source of the next byte.
    uint64_t position() const { return buffer_offset_ + cursor_; }
    uint64_t remaining() const { return end_ - position(); }

    /// The next bytes; valid until the next call. The buffer grows to hold them, so the caller has
    /// bounded `count`.
    std::string_view take(size_t count);
    /// A little-endian number.
    template<typename T>
    T number();
    /// Up to the next '\n', which is taken too; an error if there is none in `longest` bytes.
    std::string_view line(size_t longest);

private:
    void need(uint64_t count) const;
    void fill(size_t count);

    const Source &source_;
    uint64_t end_;
    std::string end_reason_;
    std::vector<std::byte> buffer_;
    uint64_t buffer_offset_;
    size_t cursor_ = 0;
    size_t filled_ = 0;
};

template<typename T>
T ByteReader::number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
}

} // namespace tvw
