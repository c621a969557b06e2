// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fetch_job.h"

#include "interrupt.h"
#include "json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <system_error>
#include <utility>

namespace tvw::cli {

void TotalProgress::expect(const std::string &file, std::optional<uint64_t> bytes) {
    states_[file] = {file, 0, bytes, false};
    title_ = states_.size() == 1 ? file : fmt::format("{} files", states_.size());
}

void TotalProgress::update(const DownloadState &state) {
    const std::lock_guard lock(mutex_);
    DownloadState &mine = states_[state.file];
    mine.received_bytes = state.received_bytes;
    if (state.total_bytes)
        mine.total_bytes = state.total_bytes;
    show(false);
}

void TotalProgress::drop(const std::string &file) {
    const std::lock_guard lock(mutex_);
    states_.erase(file);
}

void TotalProgress::finish() {
    const std::lock_guard lock(mutex_);
    if (!states_.empty())
        show(true);
}

void TotalProgress::show(bool done) {
    DownloadState sum{title_, 0, 0, done};
    for (const auto &[file, state] : states_) {
        sum.received_bytes += state.received_bytes;
        if (!state.total_bytes)
            sum.total_bytes.reset();
        if (sum.total_bytes)
            *sum.total_bytes += *state.total_bytes;
    }
    bar_(sum);
}

FetchJob::FetchJob(const Weights &what, std::filesystem::path where)
    : weights(what), file(std::move(where)) {}

void FetchJob::fetch(TotalProgress &total, std::chrono::seconds stall) {
    InterruptGuard::check();
    const auto progress = [&](const DownloadState &state) {
        InterruptGuard::check();
        if (state.done)
            outcome = Outcome::kFetched;
        total.update(state);
    };
    fetch_checkpoint(weights, {.progress = progress, .stall = stall});
    std::error_code ignored;
    bytes = std::filesystem::file_size(file, ignored);
}

void FetchJob::run(TotalProgress &total, std::chrono::seconds stall) {
    try {
        fetch(total, stall);
    } catch (const Error &caught) {
        error = caught;
    } catch (const std::exception &caught) {
        error = Error(ErrorKind::kInternal, caught.what());
    }
    if (error)
        outcome = Outcome::kFailed;
    if (outcome != Outcome::kFetched)
        total.drop(file.filename().string());
}

void FetchJob::print() const {
    if (error) {
        std::fprintf(stderr, "tvw: %s\n", error->what());
        return;
    }
    fmt::print("{} {}: {}\n", outcome == Outcome::kFetched ? "fetched" : "already there",
               weights.name(), file.string());
    if (const auto &license = weights.meta().license)
        fmt::print("  licence: {}\n", *license);
}

nlohmann::ordered_json FetchJob::json() const {
    constexpr const char *kOutcomes[] = {"fetched", "present", "failed"};
    nlohmann::ordered_json object{{"weights", weights.name()},
                                  {"file", file.native()},
                                  {"outcome", kOutcomes[size_t(outcome)]},
                                  {"bytes", bytes},
                                  {"license", nullptr},
                                  {"error", nullptr}};
    if (const auto &license = weights.meta().license)
        object["license"] = *license;
    if (error)
        object["error"] = error_json(*error);
    return object;
}

} // namespace tvw::cli
