// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/source.h"

#include "checkpoint/checked.h"

#include <fmt/format.h>

#include <utility>

namespace tvw {

Source Source::part(uint64_t offset, uint64_t size) const {
    Source result = *this;
    result.base_ += offset;
    result.size_ = size;
    return result;
}

Source Source::unpacked(std::shared_ptr<const Storage> bytes) const {
    Source result = *this;
    result.base_ = 0;
    result.size_ = bytes->size();
    result.memory_ = std::move(bytes);
    return result;
}

void Source::read(uint64_t offset, std::span<std::byte> dst) const {
    if (offset > size_ || dst.size() > size_ - offset) {
        corrupt(offset, fmt::format("{} bytes are needed, but the file ends at {}; is the download "
                                    "complete?",
                                    dst.size(), base_ + size_));
    }
    if (!memory_) {
        file_->read(base_ + offset, dst);
    } else if (!dst.empty()) {
        std::memcpy(dst.data(), memory_->data() + base_ + offset, dst.size());
    }
}

void Source::fail(ErrorKind kind, uint64_t offset, const std::string &what) const {
    uint64_t position = 0;
    if (!add(base_, offset, position)) // an offset that a part of a file claims
        position = offset;
    throw Error(kind,
                fmt::format("{}, byte {}{}: {}", file_->name(), position,
                            memory_ ? " of the file inside" : "", what),
                position);
}

void Source::corrupt(uint64_t offset, const std::string &what) const {
    fail(ErrorKind::kCorruptFile, offset, what);
}

void Source::unsupported(uint64_t offset, const std::string &what) const {
    fail(ErrorKind::kNotSupported, offset, what);
}

} // namespace tvw
