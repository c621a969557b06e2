// SPDX-License-Identifier: LGPL-2.1-or-later
#include "interrupt.h"

#include <cstdlib>

namespace tvw::cli {
namespace {

volatile std::sig_atomic_t signal_that_came = 0;

void note(int number) {
    signal_that_came = number;
}

/// A signal that the process was started to ignore, under nohup say, stays ignored.
void watch(int number, struct sigaction &before) {
    struct sigaction action {};
    action.sa_handler = note;
    // The second one ends the process whatever it does.
    action.sa_flags = int(SA_RESETHAND);
    sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN)
        sigaction(number, &action, nullptr);
}

} // namespace

InterruptGuard::InterruptGuard() {
    watch(SIGINT, interrupt_);
    watch(SIGTERM, terminate_);
}

InterruptGuard::~InterruptGuard() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
}

void InterruptGuard::check() {
    if (signal_that_came != 0)
        throw Interrupted();
}

Progress InterruptGuard::progress() {
    return [bar = progress_bar()](const DownloadState &state) {
        check();
        bar(state);
    };
}

void die_of_signal() {
    std::raise(signal_that_came);
    std::exit(128 + signal_that_came);
}

} // namespace tvw::cli
