// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/worker.h"

#include <pthread.h>

#include <thread>

namespace tvw {

Worker &Worker::instance() {
    // Never destroyed: joining at exit would wait for OpenMP threads that may be gone by then.
    static auto *worker = new Worker;
    return *worker;
}

Worker::Worker() {
    std::thread thread([this] { loop(); });
    pthread_setname_np(thread.native_handle(), "tvw-engine");
    thread.detach();
}

void Worker::run(const std::function<void()> &job) {
    std::packaged_task<void()> task(job);
    std::future<void> done = task.get_future();
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(task));
    }
    ready_.notify_one();
    done.get();
}

void Worker::loop() {
    for (;;) {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return !jobs_.empty(); });
        std::packaged_task<void()> task = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        task();
    }
}

} // namespace tvw
