// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace tvw {

/// A file that appears under its name complete or not at all. Errors: kIo.
class OutputFile {
public:
    /// Only a regular file can be replaced.
    explicit OutputFile(const std::filesystem::path &path);
    /// Without commit(), leaves what was there before.
    ~OutputFile();
    OutputFile(const OutputFile &) = delete;
    OutputFile &operator=(const OutputFile &) = delete;

    void write(std::span<const std::byte> bytes);
    void commit();

private:
    [[noreturn]] void fail(int code) const;

    std::filesystem::path path_;
    std::filesystem::path temporary_;
    int descriptor_ = -1;
};

} // namespace tvw
