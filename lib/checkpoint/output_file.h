// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <span>

namespace tvw {

/// A file that appears under its name complete or not at all. Errors: kIo.
class OutputFile {
public:
    /// Only a regular file can be replaced. `mode` is narrowed by the umask.
    explicit OutputFile(const std::filesystem::path &path, mode_t mode = 0666);
    /// Without commit(), leaves what was there before.
    ~OutputFile();
    OutputFile(const OutputFile &) = delete;
    OutputFile &operator=(const OutputFile &) = delete;

    void write(std::span<const std::byte> bytes);
    /// Everything written so far is on the disk.
    void sync();
    /// Puts the file in place, on the disk.
    void commit();

private:
    [[noreturn]] void fail(int code) const;

    std::filesystem::path path_;
    std::filesystem::path temporary_;
    int descriptor_ = -1;
};

} // namespace tvw
