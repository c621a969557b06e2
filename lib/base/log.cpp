// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/log.h"

#include <mutex>
#include <utility>

namespace tvw {
namespace {

struct Sink {
    std::mutex mutex;
    LogSink call;
};

Sink &sink() {
    static Sink instance;
    return instance;
}

} // namespace

void set_log_sink(LogSink call) {
    const std::lock_guard lock(sink().mutex);
    sink().call = std::move(call);
}

void log(LogLevel level, std::string_view message) {
    const std::lock_guard lock(sink().mutex);
    if (sink().call)
        sink().call(level, message);
}

} // namespace tvw
