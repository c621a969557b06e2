// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hub/incoming_file.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <utility>

namespace tvw {

ProgressReport::ProgressReport(std::string file, const Progress &progress) : progress_(progress) {
    state_.file = std::move(file);
}

void ProgressReport::show(uint64_t received_bytes, std::optional<uint64_t> total_bytes) {
    constexpr std::chrono::milliseconds kInterval(100);
    state_.received_bytes = received_bytes;
    state_.total_bytes = total_bytes;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_)
        return;
    next_ = now + kInterval;
    call();
}

void ProgressReport::done(uint64_t bytes) {
    state_.received_bytes = bytes;
    state_.total_bytes = bytes;
    state_.done = true;
    call();
}

void ProgressReport::call() {
    if (!progress_)
        return;
    stopped_ = true;
    progress_(state_);
    stopped_ = false;
}

IncomingFile::IncomingFile(const std::filesystem::path &path, std::string source, uint64_t limit,
                           ProgressReport &report)
    : output_(path, 0444), source_(std::move(source)), limit_(limit), report_(report) {}

void IncomingFile::check_size(uint64_t bytes) const {
    if (bytes > limit_) {
        throw Error(
            ErrorKind::kMismatch,
            fmt::format("{} is larger than the {} bytes that it can have", source_, limit_));
    }
}

void IncomingFile::begin(std::optional<uint64_t> total_bytes) {
    if (total_bytes)
        check_size(*total_bytes);
    total_ = total_bytes;
}

void IncomingFile::write(std::span<const std::byte> bytes) {
    check_size(received_ + bytes.size());
    output_.write(bytes);
    sha256_.update(bytes);
    received_ += bytes.size();
    tick();
}

void IncomingFile::tick() {
    report_.show(received_, total_);
}

} // namespace tvw
