// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/log.h>

#include <string_view>

namespace tvw {

/// Hands a message to the process-wide sink.
TVW_API void log(LogLevel level, std::string_view message);

} // namespace tvw
