// SPDX-License-Identifier: LGPL-2.1-or-later
// Stands for NVIDIA's driver on machines without one: says what TVW_FAKE_DRIVER holds, "VERSION
// GPUS ERROR" (13000 1 0), the last what cuInit answers.
#include <cstdio>
#include <cstdlib>

namespace {

struct Answers {
    int version = 0;
    int gpus = 0;
    int error = 0;
};

Answers answers() {
    Answers result;
    const char *text = std::getenv("TVW_FAKE_DRIVER");
    if (text == nullptr ||
        std::sscanf(text, "%d %d %d", &result.version, &result.gpus, &result.error) != 3)
        std::abort();
    return result;
}

} // namespace

#define DRIVER_API extern "C" __attribute__((visibility("default")))

DRIVER_API int cuInit(unsigned /*flags*/) {
    return answers().error;
}

DRIVER_API int cuDriverGetVersion(int *version) {
    *version = answers().version;
    return 0;
}

DRIVER_API int cuDeviceGetCount(int *count) {
    *count = answers().gpus;
    return 0;
}

DRIVER_API int cuGetErrorName(int error, const char **name) {
    constexpr int kNoDevice = 100;
    *name = "CUDA_ERROR_NO_DEVICE";
    return error == kNoDevice ? 0 : 1;
}
