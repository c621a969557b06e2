// SPDX-License-Identifier: LGPL-2.1-or-later
// The threads on which models run: one for the CPU, one for each GPU.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string>

namespace tvw {

/// The CPU backend's team helps one thread at a time, and LibTorch's OpenMP keeps a team for every
/// thread that enters it. Streaming threads come and go and there may be many, so all of them hand
/// their work to this one; calls are taken in the order in which they arrive, so no stream starves
/// another. A GPU has a worker of its own, since LibTorch's current device and stream are a
/// thread's, and who waits for a GPU must not keep the CPU from its work.
class Worker {
public:
    static Worker &of_cpu();
    static Worker &of_gpu(int index);

    /// Runs `job` on the worker and waits for it; its exception is thrown here.
    void run(const std::function<void()> &job);

private:
    /// A call that waits for its turn; it lies on the stack of the thread that waits.
    struct Call {
        const std::function<void()> &job;
        std::exception_ptr error = nullptr;
        bool done = false;
        Call *next = nullptr;
    };

    explicit Worker(const std::string &name);
    void loop();

    std::mutex mutex_; ///< guards the calls; never held while a job runs
    std::condition_variable ready_;
    std::condition_variable done_;
    Call *first_ = nullptr;
    Call *last_ = nullptr;
};

} // namespace tvw
