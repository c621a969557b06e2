// SPDX-License-Identifier: LGPL-2.1-or-later
// Loads checkpoints for load_checkpoint.py: a line of input is "1 FILE" with the SHA-256 or "0
// FILE" without it, a line of output the seconds that it took.
#include <tvw/checkpoint.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

int main() {
    using Clock = std::chrono::steady_clock;
    for (std::string line; std::getline(std::cin, line);) {
        const Clock::time_point begin = Clock::now();
        const tvw::Checkpoint checkpoint =
            tvw::load_checkpoint(line.substr(2), {.limits = {}, .digest = line[0] == '1'});
        const std::chrono::duration<double> took = Clock::now() - begin;
        std::printf("%.9f\n", took.count());
        std::fflush(stdout);
    }
}
