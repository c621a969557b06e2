// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>

#include <functional>
#include <string_view>

namespace tvw {

/// How much a message matters.
enum class LogLevel { kDebug, kInfo, kWarning };

/// Receives every message; may be called from any thread, one call at a time.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Replaces the process-wide sink. Without one, messages are dropped: the library never prints.
TVW_API void set_log_sink(LogSink sink);

} // namespace tvw
