// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/execute.h"

#include "backends/backend.h"
#include "engine/worker.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>

#include <sched.h>

namespace tvw {
namespace {

/// CPUs this process may use, which containers and taskset restrict.
int allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

} // namespace

void need_device(const Device &device) {
    if (device.type == Device::Type::kCuda)
        throw Error(ErrorKind::kNotSupported,
                    fmt::format("device cuda:{} cannot be used: this build has no CUDA module; "
                                "use \"cpu\" or \"auto\"",
                                device.index));
}

void guarded(const std::function<void()> &job) {
    try {
        job();
    } catch (const Error &) {
        throw;
    } catch (const std::exception &error) {
        const std::string_view what = error.what();
        throw Error(ErrorKind::kInternal,
                    fmt::format("LibTorch failed: {}", what.substr(0, what.find('\n'))));
    }
}

void execute(int threads, const std::function<void()> &job) {
    Worker::instance().run([&] {
        set_backend_threads(threads > 0 ? threads : allowed_cpus());
        guarded(job);
    });
}

} // namespace tvw
