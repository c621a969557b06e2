// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/input_file.h"

#include <tvw/error.h>
#include <tvw/tensor.h>

#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <string>

namespace tvw {

static_assert(std::endian::native == std::endian::little,
              "checkpoints are little-endian and their bytes are taken as they are");

/// The bytes that one container is parsed from: a file, a part of it, or what was unpacked from
/// it. Also the place where their errors are made. A cheap handle; the InputFile must outlive it.
class Source {
public:
    explicit Source(const InputFile &file) : file_(&file), size_(file.size()) {}

    /// The caller has checked that the part is inside.
    Source part(uint64_t offset, uint64_t size) const;
    /// Bytes in memory that came from the same file.
    Source unpacked(std::shared_ptr<const Storage> bytes) const;

    uint64_t size() const { return size_; }
    /// Anything past the end is corrupt().
    void read(uint64_t offset, std::span<std::byte> dst) const;
    /// A little-endian number.
    template<typename T>
    T number(uint64_t offset) const;

    /// Throws the Error for what stands at `offset`, adding the file's name and the position.
    [[noreturn]] void fail(ErrorKind kind, uint64_t offset, const std::string &what) const;
    [[noreturn]] void corrupt(uint64_t offset, const std::string &what) const;
    [[noreturn]] void unsupported(uint64_t offset, const std::string &what) const;

private:
    const InputFile *file_;
    uint64_t base_ = 0;
    uint64_t size_;
    std::shared_ptr<const Storage> memory_;
};

template<typename T>
T Source::number(uint64_t offset) const {
    T value;
    read(offset, std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

} // namespace tvw
