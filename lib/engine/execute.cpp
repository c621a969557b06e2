// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/execute.h"

#include "backends/backend.h"
#include "backends/cuda/gpu.h"
#include "base/text.h"
#include "engine/worker.h"

#include <tvw/error.h>

#include <algorithm>

#include <sched.h>

namespace tvw {

int allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

void guarded(const std::function<void()> &job) {
    try {
        job();
    } catch (const Error &) {
        throw;
    } catch (const std::exception &error) {
        throw Error(ErrorKind::kInternal, "LibTorch failed: " + first_line(error.what()));
    }
}

void execute(const Placement &placement, int threads, const std::function<void()> &job) {
    if (placement.gpu != nullptr) {
        Worker::of_gpu(placement.gpu->index()).run([&] { guarded(job); });
        return;
    }
    Worker::of_cpu().run([&] {
        set_backend_threads(threads > 0 ? threads : allowed_cpus());
        guarded(job);
    });
}

} // namespace tvw
