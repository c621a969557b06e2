// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/worker.h"

#include <pthread.h>

#include <map>
#include <thread>

namespace tvw {

// Workers are never destroyed: joining at exit would wait for threads that may be gone by then.

Worker &Worker::of_cpu() {
    static auto *worker = new Worker("tvw-engine");
    return *worker;
}

Worker &Worker::of_gpu(int index) {
    static std::mutex mutex;
    static auto *workers = new std::map<int, Worker *>;
    const std::lock_guard lock(mutex);
    Worker *&worker = (*workers)[index];
    if (worker == nullptr)
        worker = new Worker("tvw-cuda" + std::to_string(index));
    return *worker;
}

Worker::Worker(const std::string &name) {
    std::thread thread([this] { loop(); });
    pthread_setname_np(thread.native_handle(), name.c_str());
    thread.detach();
}

void Worker::run(const std::function<void()> &job) {
    Call call{job};
    std::unique_lock lock(mutex_);
    (first_ == nullptr ? first_ : last_->next) = &call;
    last_ = &call;
    ready_.notify_one();
    done_.wait(lock, [&] { return call.done; });
    if (call.error)
        std::rethrow_exception(call.error);
}

void Worker::loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ready_.wait(lock, [this] { return first_ != nullptr; });
        Call &call = *first_;
        lock.unlock();
        try {
            call.job();
        } catch (...) {
            call.error = std::current_exception();
        }
        lock.lock();
        first_ = call.next;
        call.done = true; // from here on the call may be gone
        done_.notify_all();
    }
}

} // namespace tvw
