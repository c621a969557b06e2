// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hub/progress_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tvw {
namespace {

constexpr double kMegabyte = 1e6;
constexpr double kLineSeconds = 10;
constexpr double kLinePart = 0.1;

/// 0 to 1; 0 while the total is not known.
double part_of(const DownloadState &state) {
    const auto total = double(state.total_bytes.value_or(0));
    return total > 0 ? std::min(1.0, double(state.received_bytes) / total) : 0;
}

double megabytes_per_second(const DownloadState &state, double seconds) {
    return double(state.received_bytes) / kMegabyte / std::max(seconds, 1e-3);
}

/// "1:02:03" or "2:03"
std::string clock_text(double seconds) {
    const long long whole = std::llround(seconds);
    const auto minutes = whole / 60;
    if (minutes >= 60)
        return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, whole % 60);
    return fmt::format("{}:{:02}", minutes, whole % 60);
}

/// "45 % of 102.5 MB, 12.3 MB/s, 0:05 left"
std::string figures(const DownloadState &state, double seconds) {
    const double received = double(state.received_bytes) / kMegabyte;
    const double speed = megabytes_per_second(state, seconds);
    if (state.done)
        return fmt::format("{:.1f} MB in {}, {:.1f} MB/s", received, clock_text(seconds), speed);
    if (!state.total_bytes)
        return fmt::format("{:.1f} MB, {:.1f} MB/s", received, speed);
    const double total = double(*state.total_bytes) / kMegabyte;
    std::string text =
        fmt::format("{:.0f} % of {:.1f} MB, {:.1f} MB/s", 100 * part_of(state), total, speed);
    if (speed > 0)
        text += fmt::format(", {} left", clock_text((total - received) / speed));
    return text;
}

} // namespace

ProgressText::ProgressText(int columns, std::function<void(const std::string &)> write)
    : columns_(columns), write_(std::move(write)) {}

ProgressText::~ProgressText() {
    if (open_line_)
        write_("\n");
}

void ProgressText::start(const DownloadState &state, Time now) {
    if (std::exchange(open_line_, false))
        write_("\n");
    file_ = state.file;
    start_ = now;
    next_line_seconds_ = kLineSeconds;
    next_line_part_ = kLinePart;
}

void ProgressText::show(const DownloadState &state, Time now) {
    if (state.file != file_)
        start(state, now);
    const double seconds = std::chrono::duration<double>(now - start_).count();
    columns_ > 0 ? show_bar(state, seconds) : show_line(state, seconds);
    if (state.done)
        file_.clear();
}

void ProgressText::show_bar(const DownloadState &state, double seconds) {
    constexpr size_t kBar = 20;
    const auto filled = size_t(double(kBar) * (state.done ? 1 : part_of(state)));
    std::string text = state.file + "  [" + std::string(filled, '=') +
                       std::string(kBar - filled, ' ') + "]  " + figures(state, seconds);
    // One column less: a full line would wrap.
    if (text.size() >= size_t(columns_))
        text.resize(size_t(columns_) - 1);
    constexpr const char *kClearRest = "\x1b[K";
    write_("\r" + text + kClearRest + (state.done ? "\n" : ""));
    open_line_ = !state.done;
}

void ProgressText::show_line(const DownloadState &state, double seconds) {
    if (!state.done && seconds < next_line_seconds_ && part_of(state) < next_line_part_)
        return;
    write_(state.file + ": " + figures(state, seconds) + "\n");
    next_line_seconds_ = seconds + kLineSeconds;
    while (next_line_part_ <= part_of(state))
        next_line_part_ += kLinePart;
}

} // namespace tvw
