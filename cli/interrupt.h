// SPDX-License-Identifier: LGPL-2.1-or-later
// Ctrl-C during a download leaves no partial file behind.
#pragma once

#include <tvw/progress.h>

#include <csignal>
#include <exception>

namespace tvw::cli {

/// SIGINT or SIGTERM came.
struct Interrupted : std::exception {};

/// While one lives, SIGINT and SIGTERM are noted instead of ending the process.
class InterruptGuard {
public:
    InterruptGuard();
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard &) = delete;
    InterruptGuard &operator=(const InterruptGuard &) = delete;

    /// Throws Interrupted once a signal came; from any thread.
    static void check();
    /// progress_bar() with a check() before each step.
    static Progress progress();

private:
    struct sigaction interrupt_ {};
    struct sigaction terminate_ {};
};

/// Ends the process by the signal that came, as if it had not been noted.
[[noreturn]] void die_of_signal();

/// Calls `work`, which downloads; a signal unwinds it and then ends the process.
template<typename Work>
auto interruptible(Work work) {
    try {
        const InterruptGuard guard;
        return work();
    } catch (const Interrupted &) {
        die_of_signal();
    }
}

} // namespace tvw::cli
