// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/worker.h"

#include <pthread.h>

#include <thread>

namespace tvw {

Worker &Worker::instance() {
    // Never destroyed: joining at exit would wait for threads that may be gone by then.
    static auto *worker = new Worker;
    return *worker;
}

Worker::Worker() {
    std::thread thread([this] { loop(); });
    pthread_setname_np(thread.native_handle(), "tvw-engine");
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
