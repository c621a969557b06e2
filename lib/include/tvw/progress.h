// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tvw {

/// How far the download of one file is.
struct DownloadState {
    std::string file; ///< its name in the cache
    uint64_t received_bytes = 0;
    std::optional<uint64_t> total_bytes; ///< none while the server has not said
    bool done = false;                   ///< verified and in place
};

/// Called from the downloading thread a few times a second, and at the end. An exception that it
/// throws ends the download, leaves the cache as it was, and is passed on. May be empty.
using Progress = std::function<void(const DownloadState &)>;

/// Shows a bar on stderr where that is a terminal, and otherwise a line now and then.
TVW_API Progress progress_bar();

} // namespace tvw
