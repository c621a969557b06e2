// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw fetch: brings checkpoints into the cache.
#include "command.h"
#include "fetch_job.h"
#include "interrupt.h"
#include "json.h"

#include <tvw/error.h>
#include <tvw/hub.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tvw::cli {
namespace {

struct Options {
    std::vector<std::string> names;
    std::string model;
    bool all_default = false;
    std::optional<std::string> module;
    int jobs = 4;
    int stall_seconds = int(FetchOptions{}.stall.count());
};

std::vector<Weights> named(const Options &options) {
    std::vector<Weights> all;
    for (const std::string &name : options.names)
        all.push_back(find_weights(name));
    if (!options.model.empty()) {
        for (const Weights &weights : get_model_weights(options.model))
            all.push_back(weights);
    }
    if (options.all_default) {
        for (const std::string &builder : list_models(options.module)) {
            if (const auto &weights = get_model_weights(builder).default_member())
                all.push_back(*weights);
        }
    }
    return all;
}

std::vector<FetchJob> make_jobs(const Options &options) {
    const bool by_name = !options.names.empty();
    if (int(by_name) + int(!options.model.empty()) + int(options.all_default) != 1) {
        throw Error(ErrorKind::kInvalidArgument,
                    "give names of weights, or --model M, or --all-default");
    }
    if (options.module && !options.all_default)
        throw Error(ErrorKind::kInvalidArgument, "--module goes with --all-default");
    std::vector<FetchJob> jobs;
    for (const Weights &weights : named(options)) {
        const auto file = checkpoint_path(weights);
        const bool known = std::any_of(jobs.begin(), jobs.end(),
                                       [&](const FetchJob &job) { return job.file == file; });
        if (!known)
            jobs.emplace_back(weights, file);
    }
    return jobs;
}

/// Several at once; each thread takes the next one that nobody has.
void run_all(std::vector<FetchJob> &jobs, const Options &options) {
    constexpr double kMebibyte = 1 << 20;
    TotalProgress total;
    for (const FetchJob &job : jobs) {
        const auto &size = job.weights.meta().file_size;
        total.expect(job.file.filename().string(),
                     size ? std::optional(uint64_t(*size * kMebibyte)) : std::nullopt);
    }
    std::atomic<size_t> next = 0;
    const auto work = [&] {
        for (size_t i = next++; i < jobs.size(); i = next++)
            jobs[i].run(total, std::chrono::seconds(options.stall_seconds));
    };
    std::vector<std::thread> threads;
    for (size_t i = 1; i < std::min(jobs.size(), size_t(options.jobs)); ++i)
        threads.emplace_back(work);
    work();
    for (std::thread &thread : threads)
        thread.join();
    InterruptGuard::check();
    total.finish();
}

void print(const std::vector<FetchJob> &jobs, bool json) {
    constexpr double kMegabyte = 1e6;
    size_t count[3] = {};
    uint64_t fetched_bytes = 0;
    for (const FetchJob &job : jobs) {
        ++count[size_t(job.outcome)];
        if (job.outcome == FetchJob::Outcome::kFetched)
            fetched_bytes += job.bytes;
        if (json)
            fmt::print("{}\n", dump(job.json()));
        else
            job.print();
    }
    if (!json)
        fmt::print("{} fetched ({:.1f} MB), {} already there, {} failed\n", count[0],
                   double(fetched_bytes) / kMegabyte, count[1], count[2]);
}

void fetch(const Options &options, Context &context) {
    std::vector<FetchJob> jobs = make_jobs(options);
    interruptible([&] { run_all(jobs, options); });
    print(jobs, context.json);
    const bool failed = std::any_of(jobs.begin(), jobs.end(), [](const FetchJob &job) {
        return job.outcome == FetchJob::Outcome::kFailed;
    });
    if (failed)
        context.status = 1;
}

} // namespace

void add_fetch(CLI::App &app, Context &context) {
    auto options = std::make_shared<Options>();
    CLI::App *command = add_command(app, context, "fetch", "Download checkpoints into the cache");
    command->add_option("weights", options->names,
                        "Enum.MEMBER, a builder's name, or a descriptor; several");
    command->add_option("--model", options->model, "All checkpoints of a builder");
    command->add_flag("--all-default", options->all_default, "The DEFAULT of every builder");
    command->add_option("--module", options->module, "With --all-default: builders of this module");
    command->add_option("--jobs", options->jobs, "Downloads at once")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command
        ->add_option("--stall", options->stall_seconds,
                     "Give up after so many seconds without progress")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
    command->callback([options, &context] { fetch(*options, context); });
}

} // namespace tvw::cli
