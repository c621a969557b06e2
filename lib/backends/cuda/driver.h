// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace tvw::cuda {

/// What NVIDIA's driver says, without LibTorch and without CUDA's own libraries.
struct Driver {
    int cuda_version = 0; ///< the latest that it runs: 13020 for 13.2
    int gpus = 0;
    std::string problem; ///< why there is none to be used; empty where there is
};

/// Loads the driver, if there is one, and asks it.
Driver ask_driver();

} // namespace tvw::cuda
