// SPDX-License-Identifier: LGPL-2.1-or-later
// How everything that needs LibTorch is run: where, with how many threads, with which errors.
#pragma once

#include "engine/placement.h"

#include <functional>

namespace tvw {

/// CPUs this process may use, which containers and taskset restrict.
int allowed_cpus();

/// Runs `job` here. LibTorch's exceptions become Error(kInternal): nobody beyond knows their type.
void guarded(const std::function<void()> &job);

/// Runs `job` on the worker of the place. On the CPU LibTorch uses `threads` there; 0: one per CPU
/// this process may use.
void execute(const Placement &placement, int threads, const std::function<void()> &job);

} // namespace tvw
