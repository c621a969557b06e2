// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a network runs.
#pragma once

#include <tvw/engine.h>

namespace tvw {

namespace cuda {
class Gpu;
} // namespace cuda

struct Placement {
    cuda::Gpu *gpu = nullptr;               ///< none: the CPU
    Precision precision = Precision::kFp32; ///< on the CPU kFp32 or kBf16
};

/// Where an engine of this configuration runs, which one line of the log says, with the reason.
/// Error(kNotSupported) if it cannot run on that device or with that precision, and what to try;
/// Error(kInvalidArgument) if they contradict each other.
Placement choose_placement(const EngineConfig &config);

} // namespace tvw
