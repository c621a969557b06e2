// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/backend.h"
#include "backends/cpu/parallel.h"

#include <ATen/Parallel.h>

#include <utility>

namespace tvw {

void set_backend_threads(int threads) {
    // Until it is told, LibTorch leaves the number to libraries that take fewer under load.
    thread_local int told = 0;
    if (std::exchange(told, threads) != threads)
        at::set_num_threads(threads);
    cpu::set_team_size(threads);
}

int backend_threads() {
    return cpu::team_size();
}

} // namespace tvw
