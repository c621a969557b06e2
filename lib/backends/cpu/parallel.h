// SPDX-License-Identifier: LGPL-2.1-or-later
// Work shared by the threads of the engine's OpenMP team.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace tvw::cpu {

/// How many threads `parallel` uses in calls from this thread; 1 until set.
int team_size();
void set_team_size(int threads);

/// Uses one thread only, for as long as this lives: waking a team costs more than little work.
class OneThread {
public:
    OneThread() : before_(team_size()) { set_team_size(1); }
    ~OneThread() { set_team_size(before_); }
    OneThread(const OneThread &) = delete;
    OneThread &operator=(const OneThread &) = delete;

private:
    int before_;
};

namespace detail {
using Body = void (*)(const void *self, int64_t begin, int64_t end);
void run_team(int64_t count, Body body, const void *self);
} // namespace detail

/// Calls body(begin, end) on parts of [0, count), one for each thread, of equal size but for one;
/// returns when all are done. The split depends on nothing but count and the size of the team.
/// The body must not throw.
template<typename F>
void parallel(int64_t count, const F &body) {
    if (count <= 1 || team_size() == 1) {
        if (count > 0)
            body(int64_t{0}, count);
        return;
    }
    detail::run_team(
        count,
        [](const void *self, int64_t begin, int64_t end) {
            (*static_cast<const F *>(self))(begin, end);
        },
        std::addressof(body));
}

} // namespace tvw::cpu
