// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cuda_runtime_api.h>

namespace tvw::cuda {

/// Whether a kernel of ours runs on the current GPU: cudaErrorNoKernelImageForDevice where this
/// build has none for it. Waits for the kernel; nothing else is enqueued.
cudaError_t run_self_test();

} // namespace tvw::cuda
