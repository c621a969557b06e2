// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdio>
#include <cstdlib>

namespace tvw::test {

struct Counts {
    int passed = 0;
    int failed = 0;

    void add(bool good) { ++(good ? passed : failed); }
    /// Prints the last line of a program; answers its status.
    int finish() const {
        std::printf("%d passed, %d failed, 0 skipped\n", passed, failed);
        return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
};

} // namespace tvw::test
