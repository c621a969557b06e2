// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"

#include "backends/cpu/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <latch>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using tvw::cpu::parallel;
using tvw::cpu::set_team_size;
using tvw::cpu::team_member;
using tvw::cpu::team_size;
using tvw::cpu::TeamScope;

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr unsigned kSeed = 20240607;
constexpr int kMostThreads = 6; // more than many machines have CPUs

// Threads of the team note what they find; assertions are for the thread that runs the test.

/// Whether a job does each of its items once. Plain numbers: the caller must see what others wrote.
bool does_each_once(int64_t count) {
    std::vector<int> times(static_cast<size_t>(count));
    parallel(count, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            ++times[size_t(i)];
    });
    return std::ranges::count(times, 1) == count;
}

/// Numbers of the team's members, used as kernels use them: each has some memory of its own.
class Members {
public:
    /// Whether a job of the current team found every member's memory unused by others.
    bool run(int64_t count) {
        sums_ = {};
        mistake_ = false;
        const int threads = team_size();
        parallel(count, [&](int64_t begin, int64_t end) { add(begin, end, threads); });
        int64_t sum = 0;
        for (const Sum &each : sums_)
            sum += each.value;
        return !mistake_ && sum == count * (count - 1) / 2;
    }

private:
    void add(int64_t begin, int64_t end, int threads) {
        const int member = team_member();
        if (member < 0 || member >= threads || used_[size_t(member)].exchange(true)) {
            mistake_ = true;
            return;
        }
        for (int64_t i = begin; i < end; ++i)
            sums_[size_t(member)].value += i;
        if (team_member() != member)
            mistake_ = true;
        used_[size_t(member)] = false;
    }

    struct alignas(64) Sum {
        int64_t value;
    };
    std::array<Sum, kMostThreads> sums_{};
    std::array<std::atomic<bool>, kMostThreads> used_{};
    std::atomic<bool> mistake_ = false;
};

/// Whether all threads of the team take parts of a job that is long enough for them to come.
bool all_come() {
    const int threads = team_size();
    const Clock::time_point deadline = Clock::now() + std::chrono::seconds(20);
    std::array<std::atomic<bool>, kMostThreads> came{};
    std::atomic<int> present = 0;
    parallel(64 * threads, [&](int64_t, int64_t) {
        if (!came[size_t(team_member())].exchange(true))
            ++present;
        while (present < threads && Clock::now() < deadline)
            std::this_thread::yield();
    });
    return present == threads;
}

struct Part {
    int64_t begin, end;
};

/// The parts of a job, in order.
std::vector<Part> parts_of(int64_t count) {
    std::mutex mutex;
    std::vector<Part> parts;
    parallel(count, [&](int64_t begin, int64_t end) {
        const std::lock_guard lock(mutex);
        parts.push_back({begin, end});
    });
    std::ranges::sort(parts, {}, &Part::begin);
    return parts;
}

} // namespace

START_TEST(each_item_is_done_once) {
    for (int threads = 1; threads <= kMostThreads; ++threads) {
        set_team_size(threads);
        for (int64_t count = 0; count <= 200; ++count)
            ck_assert_msg(does_each_once(count), "%d threads, %ld items", threads, long(count));
        for (const int64_t count : {1023, 4096, 100'003})
            ck_assert_msg(does_each_once(count), "%d threads, %ld items", threads, long(count));
        ck_assert_int_eq(team_size(), threads);
    }
}
END_TEST

START_TEST(parts_are_the_whole_whatever_its_size) {
    const int64_t limit = int64_t{1} << 32;
    const int64_t million = int64_t{1} << 20; // more than a job can have
    for (int threads = 1; threads <= kMostThreads; ++threads) {
        set_team_size(threads);
        for (const int64_t count :
             {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{1000}, million - 2, million - 1, million,
              million + 1, limit / 2, limit - 2, limit - 1, limit, limit + 5, limit * 1000}) {
            int64_t next = 0;
            for (const Part &part : parts_of(count)) {
                ck_assert_int_eq(part.begin, next);
                ck_assert_int_lt(part.begin, part.end);
                next = part.end;
            }
            ck_assert_int_eq(next, count);
        }
    }
}
END_TEST

START_TEST(without_work_nothing_is_called) {
    for (const int threads : {1, 3}) {
        set_team_size(threads);
        parallel(0, [](int64_t, int64_t) { ck_abort_msg("called"); });
    }
}
END_TEST

// Each item of a job is made of two that other threads may have written in the job before.
START_TEST(short_jobs_follow_one_another) {
    constexpr int kJobs = 20'000;
    for (const int threads : {2, 3, 5}) {
        set_team_size(threads);
        std::array<int, 23> from{}, to{};
        for (int job = 0; job < kJobs; ++job) {
            parallel(int64_t(from.size()), [&](int64_t begin, int64_t end) {
                for (auto i = size_t(begin); i < size_t(end); ++i)
                    to[i] = std::max(from[(i + 1) % from.size()], from[(i + 7) % from.size()]) + 1;
            });
            std::swap(from, to);
        }
        ck_assert_msg(std::ranges::count(from, kJobs) == int64_t(from.size()), "%d threads",
                      threads);
    }
}
END_TEST

START_TEST(no_two_threads_are_the_same_member) {
    std::printf("seed %u\n", kSeed);
    std::mt19937 random(kSeed);
    Members members;
    for (int job = 0; job < 5'000; ++job) {
        set_team_size(std::uniform_int_distribution(1, kMostThreads)(random));
        const int count = std::uniform_int_distribution(1, 5'000)(random);
        ck_assert_msg(members.run(count), "job %d of %d items, %d threads, seed %u", job, count,
                      team_size(), kSeed);
    }
}
END_TEST

START_TEST(the_whole_team_works) {
    for (int threads = 1; threads <= kMostThreads; ++threads) {
        set_team_size(threads);
        for (int job = 0; job < 20; ++job)
            ck_assert_msg(all_come(), "%d threads, job %d", threads, job);
    }
}
END_TEST

// Pauses about as long as helpers look out for work, and such that they are asleep.
START_TEST(one_thread_begins_at_the_front_and_one_at_the_back) {
    set_team_size(2);
    for (int round = 0; round < 20; ++round) {
        std::array<std::vector<Part>, 2> parts;
        parallel(200, [&](int64_t begin, int64_t end) {
            parts[size_t(team_member())].push_back({begin, end});
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        });
        int64_t front = 0;
        for (const Part &part : parts[0]) {
            ck_assert_int_eq(part.begin, front);
            front = part.end;
        }
        int64_t back = 200;
        for (const Part &part : parts[1]) {
            ck_assert_int_eq(part.end, back);
            back = part.begin;
        }
        ck_assert_int_eq(front, back);
    }
}
END_TEST

START_TEST(helpers_wake_after_pauses) {
    set_team_size(3);
    for (int round = 0; round < 40; ++round) {
        for (const int pause : {10, 60, 80, 90, 95, 100, 105, 110, 130, 300, 3'000}) {
            std::this_thread::sleep_for(microseconds(pause));
            ck_assert_msg(all_come(), "round %d, after %d µs", round, pause);
        }
    }
}
END_TEST

// Who has slept comes when these jobs are over, and perhaps into the next one.
START_TEST(helpers_that_come_late_do_no_harm) {
    std::printf("seed %u\n", kSeed);
    std::mt19937 random(kSeed);
    Members members;
    for (int job = 0; job < 3'000; ++job) {
        std::this_thread::sleep_for(
            microseconds(std::uniform_int_distribution(0, 200)(random) * (job % 3)));
        set_team_size(2 + job % 4);
        ck_assert_msg(members.run(2 + job % 5), "job %d, seed %u", job, kSeed);
    }
}
END_TEST

START_TEST(a_caller_does_not_wait_for_another) {
    std::atomic<bool> busy = false, done = false;
    std::thread other([&] {
        set_team_size(2);
        parallel(100, [&](int64_t, int64_t) {
            busy = true;
            while (!done) // for ever, if the caller below waits for the team
                std::this_thread::yield();
        });
    });
    while (!busy)
        std::this_thread::yield();
    Members members;
    bool right = true;
    for (int threads = 1; threads <= kMostThreads; ++threads) {
        set_team_size(threads);
        right = right && does_each_once(1000) && members.run(1000);
    }
    done = true;
    other.join();
    ck_assert(right);
}
END_TEST

START_TEST(callers_at_the_same_time_all_get_their_work_done) {
    constexpr int kCallers = 3;
    std::latch start(kCallers);
    std::array<bool, kCallers> right{};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
        callers.emplace_back([&, caller] {
            set_team_size(2 + caller);
            Members members;
            start.arrive_and_wait();
            bool all = true;
            for (int job = 0; job < 4'000; ++job)
                all = all && members.run(1 + job % 100) && does_each_once(1 + job % 30);
            right[size_t(caller)] = all;
        });
    }
    for (std::thread &caller : callers)
        caller.join();
    for (int caller = 0; caller < kCallers; ++caller)
        ck_assert_msg(right[size_t(caller)], "caller %d", caller);
}
END_TEST

START_TEST(callers_may_come_and_go) {
    for (int round = 0; round < 50; ++round) {
        bool right = false;
        std::thread([&] {
            set_team_size(3);
            right = all_come() && does_each_once(100);
        }).join();
        ck_assert_msg(right, "round %d", round);
    }
}
END_TEST

START_TEST(every_thread_has_a_team_size_of_its_own) {
    ck_assert_int_eq(team_size(), 1);
    set_team_size(4);
    int before = 0;
    std::thread([&] {
        before = team_size();
        set_team_size(2);
    }).join();
    ck_assert_int_eq(before, 1);
    ck_assert_int_eq(team_size(), 4);
}
END_TEST

START_TEST(one_thread_works_alone_and_once) {
    set_team_size(3);
    {
        const TeamScope one(1);
        ck_assert_int_eq(team_size(), 1);
        {
            const TeamScope again(1);
            ck_assert_int_eq(team_size(), 1);
        }
        ck_assert_int_eq(team_size(), 1);
        int calls = 0;
        parallel(1000, [&, caller = std::this_thread::get_id()](int64_t begin, int64_t end) {
            ++calls;
            ck_assert(std::this_thread::get_id() == caller && team_member() == 0);
            ck_assert(begin == 0 && end == 1000);
        });
        ck_assert_int_eq(calls, 1);
    }
    ck_assert_int_eq(team_size(), 3);
    ck_assert(all_come());
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "cpu_team", {each_item_is_done_once, parts_are_the_whole_whatever_its_size,
                     without_work_nothing_is_called, short_jobs_follow_one_another,
                     no_two_threads_are_the_same_member, the_whole_team_works,
                     one_thread_begins_at_the_front_and_one_at_the_back, helpers_wake_after_pauses,
                     helpers_that_come_late_do_no_harm, a_caller_does_not_wait_for_another,
                     callers_at_the_same_time_all_get_their_work_done, callers_may_come_and_go,
                     every_thread_has_a_team_size_of_its_own, one_thread_works_alone_and_once});
}
