// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cuda/driver.h"

#include <fmt/format.h>

#include <dlfcn.h>

namespace tvw::cuda {
namespace {

constexpr const char *kDriver = "libcuda.so.1";

template<typename Function>
Function *find(void *library, const char *name) {
    return reinterpret_cast<Function *>(dlsym(library, name));
}

/// "CUDA_ERROR_NO_DEVICE", or the number where even its name is not to be had.
std::string error_name(void *library, int error) {
    const auto get_name = find<int(int, const char **)>(library, "cuGetErrorName");
    const char *name = nullptr;
    if (get_name != nullptr && get_name(error, &name) == 0 && name != nullptr)
        return name;
    return fmt::format("error {}", error);
}

} // namespace

Driver ask_driver() {
    // Never closed: it has threads of its own once it is initialised.
    void *library = dlopen(kDriver, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        return {0, 0, fmt::format("there is no NVIDIA driver ({}): install one", kDriver)};
    const auto init = find<int(unsigned)>(library, "cuInit");
    const auto get_version = find<int(int *)>(library, "cuDriverGetVersion");
    const auto get_count = find<int(int *)>(library, "cuDeviceGetCount");
    if (init == nullptr || get_version == nullptr || get_count == nullptr)
        return {0, 0, fmt::format("{} is no NVIDIA driver", kDriver)};
    Driver driver;
    int error = init(0);
    if (error == 0)
        error = get_version(&driver.cuda_version);
    if (error == 0)
        error = get_count(&driver.gpus);
    if (error != 0 || driver.gpus == 0)
        driver.problem = fmt::format("the NVIDIA driver finds no GPU ({}): see what nvidia-smi and "
                                     "CUDA_VISIBLE_DEVICES say",
                                     error != 0 ? error_name(library, error) : "it counts none");
    return driver;
}

} // namespace tvw::cuda
