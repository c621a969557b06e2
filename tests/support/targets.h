// SPDX-License-Identifier: LGPL-2.1-or-later
// Kernels run on the best vectors that the CPU has; tests run them on all of them.
#pragma once

#include "base/simd.h"

#include <hwy/targets.h>

namespace tvw::test {

/// Calls f(name) once for each instruction set that was compiled in and that this CPU has.
template<typename F>
void for_each_target(const F &f) {
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        f(hwy::TargetName(target));
    }
    hwy::SetSupportedTargetsForTest(0);
}

} // namespace tvw::test
