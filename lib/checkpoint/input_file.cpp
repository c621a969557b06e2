// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/input_file.h"

#include "base/sha256.h"
#include "checkpoint/path_text.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace tvw {
namespace {

/// The disk fetches the next part while this one is copied; larger reads leave it idle meanwhile.
constexpr size_t kMostAtOnce = 1 << 20;

std::string reason(int code) {
    return std::generic_category().message(code);
}

/// O_NONBLOCK: opening a FIFO that nobody writes to would otherwise wait for ever.
int open_descriptor(const std::filesystem::path &path, const std::string &name) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor >= 0)
        return descriptor;
    const int code = errno;
    if (code == ENOENT || code == ENOTDIR)
        throw Error(ErrorKind::kNotFound, name + " does not exist");
    throw Error(ErrorKind::kIo, fmt::format("cannot open {}: {}", name, reason(code)));
}

} // namespace

InputFile::InputFile(const std::filesystem::path &path, uint64_t largest)
    : name_(path_in_quotes(path)), descriptor_(open_descriptor(path, name_)) {
    const auto refuse = [this](ErrorKind kind, const std::string &what) {
        close(descriptor_);
        throw Error(kind, name_ + what);
    };
    if (fstat(descriptor_, &status_) != 0)
        refuse(ErrorKind::kIo, ": " + reason(errno));
    if (!S_ISREG(status_.st_mode))
        refuse(ErrorKind::kIo, " is not a regular file");
    if (size() > largest) {
        refuse(ErrorKind::kNotSupported,
               fmt::format(" has {} bytes, more than the limit of {}", size(), largest));
    }
}

InputFile::~InputFile() {
    close(descriptor_);
}

void InputFile::read(uint64_t offset, std::span<std::byte> dst) const {
    while (!dst.empty()) {
        const size_t part = std::min(dst.size(), kMostAtOnce);
        const ssize_t got = pread(descriptor_, dst.data(), part, off_t(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            throw Error(ErrorKind::kIo,
                        fmt::format("cannot read {} at byte {}: {}", name_, offset, reason(errno)),
                        offset);
        }
        if (got == 0) {
            throw Error(ErrorKind::kIo,
                        fmt::format("{} became shorter while it was read: no byte {} any more",
                                    name_, offset),
                        offset);
        }
        offset += uint64_t(got);
        dst = dst.subspan(size_t(got));
    }
}

std::string InputFile::digest() const {
    constexpr uint64_t kChunk = 1 << 20;
    std::vector<std::byte> chunk(std::min(kChunk, size()));
    Sha256 sha;
    for (uint64_t offset = 0; offset < size();) {
        const auto part = std::span(chunk).first(std::min(kChunk, size() - offset));
        read(offset, part);
        sha.update(part);
        offset += part.size();
    }
    return sha.finish();
}

void InputFile::check_unchanged() const {
    struct stat now {};
    const auto same_time = [](const timespec &a, const timespec &b) {
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
    };
    if (fstat(descriptor_, &now) != 0 || now.st_size != status_.st_size ||
        !same_time(now.st_mtim, status_.st_mtim))
        throw Error(ErrorKind::kIo, name_ + " was changed while it was read; load it again");
}

} // namespace tvw
