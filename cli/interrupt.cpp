// SPDX-License-Identifier: LGPL-2.1-or-later
#include "interrupt.h"

#include <cstdlib>

namespace tvw::cli {
namespace {

volatile std::sig_atomic_t signal_that_came = 0;

void note(int number) {
    signal_that_came = number;
}

} // namespace

InterruptGuard::InterruptGuard() {
    struct sigaction action {};
    action.sa_handler = note;
    // The second one ends the process whatever it does.
    action.sa_flags = int(SA_RESETHAND);
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
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
