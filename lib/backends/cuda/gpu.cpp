// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cuda/gpu.h"

#include "backends/cuda/driver.h"
#include "base/shared_library.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <mutex>

// The CUDA that the build is for; 0: the build has no libtvw-cuda.
#ifndef TVW_CUDA_MAJOR
#define TVW_CUDA_MAJOR 0
#endif

namespace tvw::cuda {
namespace {

[[noreturn]] void unavailable(const std::string &reason) {
    throw Error(ErrorKind::kNotSupported, reason);
}

void need_driver() {
    if (TVW_CUDA_MAJOR == 0)
        unavailable("this build has no libtvw-cuda: build with -Dcuda=enabled, where nvcc is");
    static const Driver driver = ask_driver();
    if (!driver.problem.empty())
        unavailable(driver.problem);
    if (driver.cuda_version < TVW_CUDA_MAJOR * 1000)
        unavailable(fmt::format("the NVIDIA driver is for CUDA {}.{}, older than the {}.0 of this "
                                "build: update the driver",
                                driver.cuda_version / 1000, driver.cuda_version % 1000 / 10,
                                TVW_CUDA_MAJOR));
}

Library *open_cuda_library() {
    using EntryPoint = Library *(*)();
    try {
        return reinterpret_cast<EntryPoint>(open_library("tvw-cuda", "tvw_cuda_v1"))();
    } catch (const Error &error) {
        unavailable(
            fmt::format("{}; LibTorch's CUDA libraries come with ./setup.sh --cuda", error.what()));
    }
}

Library &cuda_library() {
    need_driver();
    static Library *library = open_cuda_library();
    if (!library->is_known_to_torch())
        unavailable("LibTorch has run without its CUDA libraries in this process and will not look "
                    "for them again: give the first model of a process the device cuda or auto");
    return *library;
}

Session &open_session(int index) {
    Library &library = cuda_library();
    const int count = library.device_count();
    if (count == 0)
        unavailable("the CUDA runtime finds no GPU, though the driver does");
    if (index >= count)
        unavailable(fmt::format("the last GPU here is cuda:{}", count - 1));
    return library.session(index);
}

} // namespace

Gpu &Gpu::open(int index) {
    static std::mutex mutex;
    static auto *gpus = new std::map<int, Gpu>; // never destroyed: the driver may be gone first
    const std::lock_guard lock(mutex);
    if (const auto found = gpus->find(index); found != gpus->end())
        return found->second;
    Gpu *gpu = nullptr;
    quietly([&] { gpu = &gpus->try_emplace(index, index, open_session(index)).first->second; });
    return *gpu;
}

std::string Gpu::name() const {
    return fmt::format("cuda:{} ({})", index_, session_.info().name);
}

} // namespace tvw::cuda
