// SPDX-License-Identifier: LGPL-2.1-or-later
// One file of tvw fetch, and the progress of all together.
#pragma once

#include <tvw/error.h>
#include <tvw/hub.h>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace tvw::cli {

/// Adds up downloads that run at once and shows them as one.
class TotalProgress {
public:
    /// What will come; `bytes` if known. All files before the first update.
    void expect(const std::string &file, std::optional<uint64_t> bytes);
    /// From any thread.
    void update(const DownloadState &state);
    /// From any thread: nothing (more) of this file will come.
    void drop(const std::string &file);
    /// All is over.
    void finish();

private:
    void show(bool done);

    std::mutex mutex_; ///< guards what follows
    Progress bar_ = progress_bar();
    std::string title_; ///< the file, or how many there are
    std::map<std::string, DownloadState> states_;
};

struct FetchJob {
    enum class Outcome { kFetched, kPresent, kFailed };

    FetchJob(const Weights &what, std::filesystem::path where);

    /// Never throws; what goes wrong is in `error`.
    void run(TotalProgress &total, std::chrono::seconds stall);
    void print() const;
    nlohmann::ordered_json json() const;

    Weights weights;
    std::filesystem::path file;
    Outcome outcome = Outcome::kPresent;
    uint64_t bytes = 0;
    std::optional<Error> error;

private:
    void fetch(TotalProgress &total, std::chrono::seconds stall);
};

} // namespace tvw::cli
