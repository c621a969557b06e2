// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/progress.h>

#include <chrono>
#include <functional>
#include <string>

namespace tvw {

/// Turns the states of one download after another into text: on a terminal a bar that is written
/// over, elsewhere a line for every 10 % or 10 s.
class ProgressText {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// `columns` of the terminal; 0 where it is none. `write` takes what is to be shown.
    ProgressText(int columns, std::function<void(const std::string &)> write);
    /// Ends a line that is still open.
    ~ProgressText();
    ProgressText(const ProgressText &) = delete;
    ProgressText &operator=(const ProgressText &) = delete;

    void show(const DownloadState &state, Time now);

private:
    void start(const DownloadState &state, Time now);
    void show_bar(const DownloadState &state, double seconds);
    void show_line(const DownloadState &state, double seconds);

    int columns_;
    std::function<void(const std::string &)> write_;
    std::string file_; ///< of which start_ is
    Time start_;
    double next_line_seconds_ = 0;
    double next_line_part_ = 0;
    bool open_line_ = false;
};

} // namespace tvw
