// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hub/courtesy_lock.h"

#include "hub/cache_name.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace tvw {
namespace {

namespace fs = std::filesystem;

uint64_t bytes_under_way(const fs::path &file) {
    uint64_t bytes = 0;
    for (const fs::path &part : partial_files(file)) {
        std::error_code error;
        const auto size = fs::file_size(part, error);
        bytes += error ? 0 : size;
    }
    return bytes;
}

} // namespace

CourtesyLock::CourtesyLock(const fs::path &file, std::chrono::milliseconds patience,
                           const std::function<void(uint64_t)> &waiting)
    : path_(with_suffix(file, ".lock")) {
    constexpr mode_t kMode = 0666; // less the umask
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kMode);
    try {
        wait(file, patience, waiting);
    } catch (...) {
        close();
        throw;
    }
}

/// True when there is nothing to wait for: it is ours, or locks do not work here.
bool CourtesyLock::try_lock() {
    if (descriptor_ < 0 || flock(descriptor_, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK || errno == EINTR)
        return false;
    close();
    return true;
}

void CourtesyLock::wait(const fs::path &file, std::chrono::milliseconds patience,
                        const std::function<void(uint64_t)> &waiting) {
    constexpr std::chrono::milliseconds kInterval(100);
    using Clock = std::chrono::steady_clock;
    auto changed = Clock::now();
    uint64_t bytes = 0;
    while (!try_lock()) {
        waited_ = true;
        if (const uint64_t now = bytes_under_way(file); now != std::exchange(bytes, now))
            changed = Clock::now();
        if (Clock::now() - changed > patience)
            return close();
        waiting(bytes);
        std::this_thread::sleep_for(kInterval);
    }
}

void CourtesyLock::close() {
    if (descriptor_ >= 0)
        ::close(std::exchange(descriptor_, -1));
}

void CourtesyLock::release() {
    // Those who wait hold the same file open and get the lock without its name; who comes now makes
    // a new one. Should the two meet, both download.
    if (descriptor_ >= 0)
        unlink(path_.c_str());
    close();
}

} // namespace tvw
