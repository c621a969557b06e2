// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/output_file.h"

#include "checkpoint/path_text.h"

#include <tvw/error.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <system_error>
#include <utility>

namespace tvw {

namespace {

/// Makes a rename last. Some file systems cannot, and theirs lasts anyway.
void sync_folder(const std::filesystem::path &folder) {
    const int descriptor =
        open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    fsync(descriptor);
    close(descriptor);
}

} // namespace

OutputFile::OutputFile(const std::filesystem::path &path, mode_t mode) : path_(path) {
    std::error_code ignored;
    const auto status = std::filesystem::status(path, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        throw Error(ErrorKind::kIo, path_in_quotes(path) + " is not a regular file");
    // In the same folder, where a rename is atomic; the name is random so that two writers of one
    // file do not meet.
    temporary_ = path;
    temporary_ += fmt::format(".{:08x}.part", std::random_device()());
    descriptor_ =
        open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (descriptor_ < 0)
        fail(errno);
}

OutputFile::~OutputFile() {
    if (descriptor_ < 0)
        return;
    close(descriptor_);
    unlink(temporary_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR)
            fail(errno);
        if (written > 0)
            bytes = bytes.subspan(size_t(written));
    }
}

void OutputFile::sync() {
    if (fsync(descriptor_) != 0)
        fail(errno);
}

void OutputFile::commit() {
    sync();
    if (rename(temporary_.c_str(), path_.c_str()) != 0)
        fail(errno);
    close(std::exchange(descriptor_, -1));
    sync_folder(path_.parent_path());
}

void OutputFile::fail(int code) const {
    throw Error(ErrorKind::kIo, fmt::format("cannot write {}: {}", path_in_quotes(path_),
                                            std::generic_category().message(code)));
}

} // namespace tvw
