// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/byte_reader.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tvw {
namespace {

// Most pickles and zip directories fit in one or two of these.
constexpr size_t kChunk = size_t{64} << 10;

} // namespace

ByteReader::ByteReader(const Source &source, uint64_t begin, uint64_t end, std::string end_reason)
    : source_(source),
      end_(std::max(begin, std::min(end, source.size()))),
      end_reason_(std::move(end_reason)),
      buffer_offset_(begin) {}

void ByteReader::need(uint64_t count) const {
    if (count > remaining())
        source_.corrupt(position(), end_reason_);
}

void ByteReader::fill(size_t count) {
    if (filled_ - cursor_ >= count)
        return;
    filled_ = size_t(std::copy(buffer_.begin() + ptrdiff_t(cursor_),
                               buffer_.begin() + ptrdiff_t(filled_), buffer_.begin()) -
                     buffer_.begin());
    buffer_offset_ += cursor_;
    cursor_ = 0;
    const uint64_t left = end_ - (buffer_offset_ + filled_);
    const size_t wanted = std::max(count, size_t(std::min<uint64_t>(kChunk, filled_ + left)));
    if (buffer_.size() < wanted)
        buffer_.resize(wanted);
    const auto free = std::span(buffer_).subspan(filled_);
    const auto target = free.first(std::min<uint64_t>(free.size(), left));
    source_.read(buffer_offset_ + filled_, target);
    filled_ += target.size();
}

std::string_view ByteReader::take(size_t count) {
    need(count);
    fill(count);
    const char *begin = reinterpret_cast<const char *>(buffer_.data()) + cursor_;
    cursor_ += count;
    return {begin, count};
}

std::string_view ByteReader::line(size_t longest) {
    const size_t window = std::min<uint64_t>(longest, remaining());
    fill(window);
    const std::string_view text(reinterpret_cast<const char *>(buffer_.data()) + cursor_, window);
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) {
        source_.corrupt(position(), window < longest ? end_reason_
                                                     : "a name has no end within " +
                                                           std::to_string(longest) + " bytes");
    }
    cursor_ += end + 1;
    return text.substr(0, end);
}

} // namespace tvw
