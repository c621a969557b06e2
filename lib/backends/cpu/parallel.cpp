// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/parallel.h"

#include <omp.h>

namespace tvw::cpu {
namespace {

thread_local int threads_of_team = 1;

} // namespace

int team_size() {
    return threads_of_team;
}

void set_team_size(int threads) {
    if (threads == threads_of_team)
        return;
    threads_of_team = threads;
    omp_set_num_threads(threads); // oneDNN and LibTorch ask OpenMP
}

void detail::run_team(int64_t count, Body body, const void *self) {
    const auto parts = int(std::min<int64_t>(count, threads_of_team));
#pragma omp parallel num_threads(parts)
    {
        // OpenMP may give fewer than asked for; then each takes several parts.
        for (int part = omp_get_thread_num(); part < parts; part += omp_get_num_threads())
            body(self, count * part / parts, count * (part + 1) / parts);
    }
}

} // namespace tvw::cpu
