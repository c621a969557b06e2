// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace tvw::cpu {
namespace {

thread_local int threads_of_team = 1;
thread_local int member = 0;

using Clock = std::chrono::steady_clock;
// How long a helper looks out for more work before it sleeps: longer than the steps of a model that
// one thread does alone, much shorter than the pause between two frames.
constexpr std::chrono::microseconds kLookOut{100};
// How long who waits for the last part keeps its CPU: the one who does it may have lost its own to
// another program, and goes on here as soon as this is free.
constexpr int kPausesBeforeSleep = 1'000;

void pause_briefly() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Threads that help whoever calls `run`.
class Team {
public:
    static Team &instance() {
        static auto *team = new Team; // never destroyed: its threads end with the process
        return *team;
    }

    /// The most that one job can have.
    static constexpr int64_t kMostItems = (1 << 20) - 1;

    /// False if it is busy for another caller; nothing was done then.
    bool run(int threads, int64_t count, detail::Body body, const void *self) {
        const std::unique_lock caller(callers_, std::try_to_lock);
        if (!caller)
            return false;
        while (helpers_ < threads - 1 && start_helper()) {
        }
        const uint32_t job = open(threads, count, body, self);
        // Who took a part is waited for; who has yet to wake is not.
        wait_for_helpers(count - work(job, 0));
        return true;
    }

private:
    /// What is left of a job, items [front, back), and the job's number.
    struct Rest {
        uint32_t job;
        int64_t front;
        int64_t back;
    };
    static constexpr int kIndexBits = 20;
    static_assert(kMostItems >> kIndexBits == 0);
    static uint64_t packed(const Rest &rest) {
        return uint64_t{rest.job} << (2 * kIndexBits) | uint64_t(rest.back) << kIndexBits |
               uint64_t(rest.front);
    }
    static Rest unpacked(uint64_t rest) {
        return {uint32_t(rest >> (2 * kIndexBits)), int64_t(rest) & kMostItems,
                int64_t(rest >> kIndexBits) & kMostItems};
    }

    uint32_t open(int threads, int64_t count, detail::Body body, const void *self) {
        // A late helper may read these as they change. It takes no part then: who reads a new value
        // sees that `rest_` has changed.
        const uint32_t last = unpacked(rest_.load(std::memory_order_relaxed)).job;
        rest_.store(packed({last, 0, 0}), std::memory_order_relaxed);
        threads_.store(threads, std::memory_order_release);
        body_.store(body, std::memory_order_release);
        self_.store(self, std::memory_order_release);
        done_.store(0, std::memory_order_relaxed);
        const uint64_t rest = packed({last + 1, 0, count});
        rest_.store(rest, std::memory_order_seq_cst);
        if (asleep_.load(std::memory_order_seq_cst) > 0) {
            { const std::lock_guard lock(mutex_); }
            opened_.notify_all();
        }
        return unpacked(rest).job;
    }

    /// Takes parts of a job until none is left; answers how many items they had. Half of the
    /// threads begin with the first items and half with the last: most of what one of two threads
    /// reads of an image is then what it wrote itself in the step before.
    int64_t work(uint32_t job, int number) {
        // A part is a third of what would be a fair share of the rest: few parts, of which the last
        // ones are so small that all threads end at about the same time.
        constexpr int64_t kPartsOfShare = 3;
        const bool from_front = number % 2 == 0;
        int64_t done = 0;
        uint64_t now = rest_.load(std::memory_order_acquire);
        for (;;) {
            const int64_t threads = threads_.load(std::memory_order_acquire);
            const detail::Body body = body_.load(std::memory_order_acquire);
            const void *self = self_.load(std::memory_order_acquire);
            Rest rest = unpacked(now);
            const int64_t left = rest.back - rest.front;
            if (rest.job != job || left <= 0)
                return done;
            const int64_t size = std::max<int64_t>(left / (kPartsOfShare * threads), 1);
            const int64_t begin = from_front ? rest.front : rest.back - size;
            if (from_front)
                rest.front += size;
            else
                rest.back -= size;
            if (!rest_.compare_exchange_weak(now, packed(rest), std::memory_order_acq_rel,
                                             std::memory_order_acquire))
                continue;
            body(self, begin, begin + size);
            done += size;
            now = rest_.load(std::memory_order_acquire);
        }
    }

    void wait_for_helpers(int64_t items) {
        const auto all_done = [&] { return done_.load(std::memory_order_seq_cst) == items; };
        for (int i = 0; i < kPausesBeforeSleep; ++i) {
            if (all_done())
                return;
            pause_briefly();
        }
        std::unique_lock lock(mutex_);
        waiting_.store(true, std::memory_order_seq_cst);
        finished_.wait(lock, all_done);
        waiting_.store(false, std::memory_order_relaxed);
    }

    void report(int64_t done) {
        done_.fetch_add(done, std::memory_order_seq_cst);
        if (waiting_.load(std::memory_order_seq_cst)) {
            { const std::lock_guard lock(mutex_); }
            finished_.notify_one();
        }
    }

    bool start_helper() {
        try {
            std::thread thread([this, number = helpers_ + 1] { help(number); });
            pthread_setname_np(thread.native_handle(), "tvw-helper");
            thread.detach();
        } catch (const std::system_error &) {
            return false; // There are as many as there may be; the others do its work.
        }
        ++helpers_;
        return true;
    }

    [[noreturn]] void help(int number) {
        member = number;
        for (uint32_t seen = 0;;) {
            seen = wait_for_other_than(seen);
            if (number >= threads_.load(std::memory_order_acquire))
                continue;
            if (const int64_t done = work(seen, number); done > 0)
                report(done);
        }
    }

    /// The number of the latest job that is not `seen`.
    uint32_t wait_for_other_than(uint32_t seen) {
        const auto latest = [&] { return unpacked(rest_.load(std::memory_order_seq_cst)).job; };
        constexpr int kPauses = 32; // between two looks at the clock
        const Clock::time_point end = Clock::now() + kLookOut;
        do {
            for (int i = 0; i < kPauses; ++i) {
                if (const uint32_t job = latest(); job != seen)
                    return job;
                pause_briefly();
            }
        } while (Clock::now() < end);
        std::unique_lock lock(mutex_);
        ++asleep_;
        opened_.wait(lock, [&] { return latest() != seen; });
        --asleep_;
        return latest();
    }

    std::mutex callers_; ///< held by who is helped
    int helpers_ = 0;

    std::atomic<int> threads_ = 1; ///< the job, as the next two
    std::atomic<detail::Body> body_ = nullptr;
    std::atomic<const void *> self_ = nullptr;
    alignas(64) std::atomic<uint64_t> rest_ = 0; ///< a Rest
    alignas(64) std::atomic<int64_t> done_ = 0;  ///< items that helpers did

    std::mutex mutex_; ///< of those who sleep
    std::condition_variable opened_;
    std::condition_variable finished_;
    std::atomic<bool> waiting_ = false; ///< who is helped sleeps
    std::atomic<int> asleep_ = 0;
};

} // namespace

int team_size() {
    return threads_of_team;
}

void set_team_size(int threads) {
    threads_of_team = threads;
}

int team_member() {
    return member;
}

TeamScope::TeamScope(int threads)
    : threads_before_(std::exchange(threads_of_team, threads)),
      member_before_(std::exchange(member, 0)) {}

TeamScope::~TeamScope() {
    threads_of_team = threads_before_;
    member = member_before_;
}

void detail::run_team(int64_t count, Body body, const void *self) {
    if (count > Team::kMostItems) {
        const int64_t unit = (count + Team::kMostItems - 1) / Team::kMostItems;
        parallel((count + unit - 1) / unit, [=](int64_t begin, int64_t end) {
            body(self, begin * unit, std::min(end * unit, count));
        });
    } else if (!Team::instance().run(threads_of_team, count, body, self)) {
        body(self, 0, count);
    }
}

} // namespace tvw::cpu
