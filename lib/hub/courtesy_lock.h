// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>

namespace tvw {

/// Lets one process download while others wait for its file. A courtesy: where locks do not work,
/// or the one who holds it gets nowhere, everybody downloads on their own and nothing is lost.
class CourtesyLock {
public:
    /// Waits as long as somebody else holds the lock and the unfinished downloads of `file` change
    /// within `patience`. Calls `waiting` with their size a few times a second; it may throw.
    CourtesyLock(const std::filesystem::path &file, std::chrono::milliseconds patience,
                 const std::function<void(uint64_t bytes)> &waiting);
    ~CourtesyLock() { release(); }
    CourtesyLock(const CourtesyLock &) = delete;
    CourtesyLock &operator=(const CourtesyLock &) = delete;

    /// Whether somebody else held it: the file may be there by now.
    bool waited() const { return waited_; }
    bool held() const { return descriptor_ >= 0; }
    void release();

private:
    void wait(const std::filesystem::path &file, std::chrono::milliseconds patience,
              const std::function<void(uint64_t bytes)> &waiting);
    bool try_lock();
    void close();

    std::filesystem::path path_;
    int descriptor_ = -1;
    bool waited_ = false;
};

} // namespace tvw
