// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw bench: how long a network takes.
#include "command.h"
#include "json.h"
#include "measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace tvw::cli {
namespace {

struct BenchOptions : MeasureOptions {
    int warmup = 3;
};

/// Milliseconds of each round, as a caller sees them: input handed over, output received.
std::vector<double> measure(const Measured &measured, const BenchOptions &options) {
    using Clock = std::chrono::steady_clock;
    for (int i = 0; i < options.warmup; ++i)
        measured.engine->run(measured.inputs);
    std::vector<double> times;
    for (int i = 0; i < options.rounds; ++i) {
        const Clock::time_point begin = Clock::now();
        measured.engine->run(measured.inputs);
        const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
        times.push_back(took.count());
    }
    return times;
}

void print_line(const char *name, double milliseconds, const Measured &measured,
                double operations) {
    fmt::print("{:<8}{:9.2f} ms{:10.1f} images/s{:9.1f} GFLOP/s\n", name, milliseconds,
               1e3 * double(measured.shape[0]) / milliseconds,
               gflops_per_second(operations, milliseconds));
}

void bench(const BenchOptions &options, const Context &context) {
    const Measured measured = prepare(options);
    const std::vector<double> times = measure(measured, options);
    const double middle = median(times);
    const double least = *std::min_element(times.begin(), times.end());
    if (context.json) {
        const nlohmann::ordered_json report{{"model", measured.model},
                                            {"batch", options.batch},
                                            {"threads", measured.config.threads},
                                            {"backend", options.backend},
                                            {"precision", options.precision},
                                            {"processor", processor_name(measured)},
                                            {"median_ms", middle},
                                            {"min_ms", least}};
        fmt::print("{}\n", dump(report));
        return;
    }
    const double operations = engine_library().operations({.builder = measured.config.builder,
                                                           .arguments = measured.config.arguments,
                                                           .input_shape = measured.shape});
    fmt::print("{}", heading(measured, options));
    print_line("median", middle, measured, operations);
    print_line("minimum", least, measured, operations);
    fmt::print("{} rounds, {:.3f} GFLOP each\n", options.rounds, operations / 1e9);
}

} // namespace

void add_bench(CLI::App &app, Context &context) {
    auto options = std::make_shared<BenchOptions>();
    options->rounds = 20;
    CLI::App *command = add_command(app, context, "bench", "Measure how long a model takes");
    add_measure_options(*command, *options);
    command->add_option("--warmup", options->warmup, "Runs before, of which the first is slow")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->callback([options, &context] { bench(*options, context); });
}

} // namespace tvw::cli
