// SPDX-License-Identifier: LGPL-2.1-or-later
// Work shared by the threads of the engine's team.
//
// The threads take parts of the work as they come to it, since they are seldom equally fast: video
// pipelines keep many threads busy, and what looks like a CPU may be half of a core. One that is
// not there in time is not waited for.
#pragma once

#include <cstdint>
#include <memory>

namespace tvw::cpu {

/// How many threads `parallel` uses in calls from this thread; 1 until set.
int team_size();
void set_team_size(int threads);

/// Which thread of the team this is, below team_size() of the caller: what is asked for in the body
/// of `parallel` to find scratch memory of one's own.
int team_member();

/// A team of this size, with this thread as its first member, for as long as this lives. Of one
/// where `parallel` shares more than a kernel's work already, or where waking others costs more
/// than the work.
class TeamScope {
public:
    explicit TeamScope(int threads);
    ~TeamScope();
    TeamScope(const TeamScope &) = delete;
    TeamScope &operator=(const TeamScope &) = delete;

private:
    int threads_before_;
    int member_before_;
};

namespace detail {
using Body = void (*)(const void *self, int64_t begin, int64_t end);
void run_team(int64_t count, Body body, const void *self);
} // namespace detail

/// Calls body(begin, end) on parts that together are [0, count); returns when all are done. How it
/// is split differs from call to call, so no result may depend on it. The body must not throw, nor
/// call `parallel`.
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
