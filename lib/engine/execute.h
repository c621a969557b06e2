// SPDX-License-Identifier: LGPL-2.1-or-later
// How everything that needs LibTorch is run: where, with how many threads, with which errors.
#pragma once

#include <tvw/engine.h>

#include <functional>

namespace tvw {

/// Error(kNotSupported) if this build cannot run models there.
void need_device(const Device &device);

/// Runs `job` here. LibTorch's exceptions become Error(kInternal): nobody beyond knows their type.
void guarded(const std::function<void()> &job);

/// Runs `job` on the worker, where LibTorch uses `threads`; 0: one per CPU this process may use.
void execute(int threads, const std::function<void()> &job);

} // namespace tvw
