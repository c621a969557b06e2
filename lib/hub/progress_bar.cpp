// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/progress.h>

#include "hub/progress_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace tvw {
namespace {

/// 0 where stderr is no terminal.
int terminal_columns() {
    constexpr int kUsual = 80;
    if (isatty(STDERR_FILENO) == 0)
        return 0;
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

} // namespace

Progress progress_bar() {
    const auto text = std::make_shared<ProgressText>(
        terminal_columns(), [](const std::string &part) { std::fputs(part.c_str(), stderr); });
    return
        [text](const DownloadState &state) { text->show(state, std::chrono::steady_clock::now()); };
}

} // namespace tvw
