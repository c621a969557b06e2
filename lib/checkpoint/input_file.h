// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/error.h>

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tvw {

/// A regular file, opened once and read by position into memory of our own: whatever happens to
/// the file meanwhile ends in an Error, never in a signal as with a mapping.
class InputFile {
public:
    /// Errors: kNotFound; kIo for what is not a regular file; kNotSupported above `largest` bytes.
    InputFile(const std::filesystem::path &path, uint64_t largest);
    ~InputFile();
    InputFile(const InputFile &) = delete;
    InputFile &operator=(const InputFile &) = delete;

    /// The path in quotes, fit for a message.
    const std::string &name() const { return name_; }
    uint64_t size() const { return uint64_t(status_.st_size); }

    /// Fills `dst`; the caller keeps inside size().
    void read(uint64_t offset, std::span<std::byte> dst) const;
    /// SHA-256 of all bytes, from the descriptor that read() uses.
    std::string digest() const;
    /// Error(kIo) if the file was written to since it was opened.
    void check_unchanged() const;

private:
    std::string name_;
    int descriptor_;
    struct stat status_ {};
};

} // namespace tvw
