// SPDX-License-Identifier: LGPL-2.1-or-later
// What LibTorch's exceptions mean for a GPU.
#include "backends/cuda/gpu.h"
#include "backends/silence.h"
#include "base/text.h"

#include <c10/util/Exception.h>

#include <string_view>

namespace tvw::cuda {
namespace {

constexpr int kMemoryAllocation = 2; ///< cudaErrorMemoryAllocation

/// cuBLAS and cuDNN have their own words for it.
bool is_about_memory(const std::exception &error) {
    const std::string_view what = error.what();
    return what.find("_ALLOC_FAILED") != std::string_view::npos;
}

} // namespace

void quietly(const std::function<void()> &call) {
    const SilentWarnings silence;
    call();
}

/// What a job enqueued is done when this returns, also where the job failed: its caller may free
/// what the GPU reads.
void Gpu::run_to_the_end(const std::function<void()> &job) {
    try {
        session_.run(job);
    } catch (...) {
        try {
            session_.synchronize();
        } catch (const c10::Error &) {
            // The next call is told of it; why the job failed comes first.
        }
        throw;
    }
    session_.synchronize();
}

void Gpu::run(const std::function<void()> &job) {
    if (!failure_.empty())
        throw Error(ErrorKind::kInternal, failure_);
    const auto out_of_memory = [this](const std::exception &error) {
        return OutOfMemory(ErrorKind::kNotSupported,
                           name() +
                               " has too little free memory: take a smaller batch, precision "
                               "fp16 or another device (" +
                               first_line(error.what()) + ")");
    };
    try {
        run_to_the_end(job);
    } catch (const c10::OutOfMemoryError &error) {
        throw out_of_memory(error);
    } catch (const c10::AcceleratorError &error) {
        if (error.get_error_code() == kMemoryAllocation)
            throw out_of_memory(error);
        failure_ = name() + " failed, and nothing runs there until this process is started anew: " +
                   first_line(error.what());
        throw Error(ErrorKind::kInternal, failure_);
    } catch (const c10::Error &error) {
        if (is_about_memory(error))
            throw out_of_memory(error);
        throw;
    }
}

} // namespace tvw::cuda
