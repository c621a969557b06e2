// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw profile: where the time of a network goes, node by node.
#include "command.h"
#include "json.h"
#include "measure.h"
#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tvw::cli {
namespace {

struct ProfileOptions : MeasureOptions {
    size_t top = 20;
    bool dot = false;
};

/// A line of a table: one node, or several with something in common.
struct Cost {
    std::string name;
    size_t nodes = 0;
    double milliseconds = 0;
    int64_t operations = 0;
};

void slowest_first(std::vector<NodeTime> &times) {
    std::stable_sort(times.begin(), times.end(), [](const NodeTime &a, const NodeTime &b) {
        return a.median_ms > b.median_ms;
    });
}

Cost total_of(const std::vector<NodeTime> &times) {
    Cost total{"total", times.size()};
    for (const NodeTime &time : times) {
        total.milliseconds += time.median_ms;
        total.operations += time.operations;
    }
    return total;
}

/// Sums over the nodes that have `key` in common, the largest first.
std::vector<Cost> sums_by(std::string NodeTime::*key, const std::vector<NodeTime> &times) {
    std::map<std::string, std::vector<NodeTime>> groups;
    for (const NodeTime &time : times)
        groups[time.*key].push_back(time);
    std::vector<Cost> sums;
    for (const auto &[name, members] : groups) {
        sums.push_back(total_of(members));
        sums.back().name = name;
    }
    std::stable_sort(sums.begin(), sums.end(),
                     [](const Cost &a, const Cost &b) { return a.milliseconds > b.milliseconds; });
    return sums;
}

double share(double part, const Cost &total) {
    return total.milliseconds > 0 ? part / total.milliseconds : 0;
}

nlohmann::ordered_json sums_json(const char *key, const std::vector<Cost> &sums,
                                 const Cost &total) {
    auto list = nlohmann::ordered_json::array();
    for (const Cost &sum : sums)
        list.push_back({{key, sum.name},
                        {"nodes", sum.nodes},
                        {"median_ms", sum.milliseconds},
                        {"share", share(sum.milliseconds, total)},
                        {"operations", sum.operations}});
    return list;
}

nlohmann::ordered_json report_json(const Measured &measured, const ProfileOptions &options,
                                   const std::vector<NodeTime> &times) {
    const Cost total = total_of(times);
    nlohmann::ordered_json report{{"model", measured.model},
                                  {"batch", options.batch},
                                  {"threads", measured.config.threads},
                                  {"backend", options.backend},
                                  {"processor", processor_name(measured)},
                                  {"total_ms", total.milliseconds},
                                  {"nodes", nlohmann::ordered_json::array()}};
    for (const NodeTime &time : times)
        report["nodes"].push_back({{"node", time.node},
                                   {"op", time.op},
                                   {"shape", time.shape},
                                   {"kernel", time.kernel},
                                   {"median_ms", time.median_ms},
                                   {"share", share(time.median_ms, total)},
                                   {"operations", time.operations}});
    report["by_op"] = sums_json("op", sums_by(&NodeTime::op, times), total);
    report["by_kernel"] = sums_json("kernel", sums_by(&NodeTime::kernel, times), total);
    return report;
}

/// The graph that was measured, each node with what it took.
std::string picture(const Measured &measured, const std::vector<NodeTime> &times) {
    return engine_library().graph_text({.builder = measured.config.builder,
                                        .arguments = measured.config.arguments,
                                        .input_shape = measured.shape,
                                        .passes = true,
                                        .dot = true,
                                        .times = times});
}

/// Milliseconds, share and speed; the last only where operations were counted.
std::string figures(double milliseconds, int64_t operations, const Cost &total) {
    std::string text =
        fmt::format("{:9.3f}{:7.1f} %", milliseconds, 100 * share(milliseconds, total));
    if (operations > 0)
        text += fmt::format("{:9.1f}", gflops_per_second(double(operations), milliseconds));
    return text;
}

constexpr const char *kFigures = "       ms    share  GFLOP/s";

void print_nodes(const std::vector<NodeTime> &times, size_t top, const Cost &total) {
    const std::vector<NodeTime> shown(times.begin(),
                                      times.begin() + long(std::min(top, times.size())));
    std::vector<std::vector<std::string>> rows{{"node", "op", "result", "kernel"}};
    for (const NodeTime &time : shown)
        rows.push_back({time.node, time.op, shape_text(time.shape), time.kernel});
    const std::vector<std::string> lines = table_lines(rows);
    fmt::print("{}{}\n", lines[0], kFigures);
    for (size_t i = 0; i < shown.size(); ++i)
        fmt::print("{}{}\n", lines[i + 1], figures(shown[i].median_ms, shown[i].operations, total));
    if (shown.size() < times.size())
        fmt::print("… and {} more, --top 0 shows all\n", times.size() - shown.size());
}

void print_sums(const char *heading, const std::vector<Cost> &sums, const Cost &total) {
    size_t width = columns(heading);
    for (const Cost &sum : sums)
        width = std::max(width, columns(sum.name));
    fmt::print("\n{}  nodes{}\n", padded(heading, width), kFigures);
    for (const Cost &sum : sums)
        fmt::print("{}{:7}{}\n", padded(sum.name, width), sum.nodes,
                   figures(sum.milliseconds, sum.operations, total));
}

void print_tables(const Measured &measured, const ProfileOptions &options,
                  const std::vector<NodeTime> &times) {
    const Cost total = total_of(times);
    fmt::print("{}medians of {} rounds\n\n", heading(measured, options), options.rounds);
    print_nodes(times, options.top > 0 ? options.top : times.size(), total);
    print_sums("op", sums_by(&NodeTime::op, times), total);
    print_sums("kernel", sums_by(&NodeTime::kernel, times), total);
    print_sums("all", {total}, total);
}

void profile(const ProfileOptions &options, const Context &context) {
    const Measured measured = prepare(options);
    measured.engine->run(measured.inputs); // the first is slow
    std::vector<NodeTime> times = measured.engine->profile(measured.inputs, options.rounds);
    slowest_first(times);
    if (context.json) {
        nlohmann::ordered_json report = report_json(measured, options, times);
        if (options.dot)
            report["graph"] = picture(measured, times);
        fmt::print("{}\n", dump(report));
    } else if (options.dot) {
        fmt::print("{}", picture(measured, times));
    } else {
        print_tables(measured, options, times);
    }
}

} // namespace

void add_profile(CLI::App &app, Context &context) {
    auto options = std::make_shared<ProfileOptions>();
    options->rounds = 20;
    options->device = "cpu"; // the one that measures its nodes
    CLI::App *command =
        add_command(app, context, "profile", "Measure where the time of a model goes");
    add_measure_options(*command, *options);
    command->add_option("--top", options->top, "Nodes that are listed as text; 0: all")
        ->capture_default_str();
    command->add_flag("--dot", options->dot, "The graph for Graphviz, coloured by time");
    command->callback([options, &context] { profile(*options, context); });
}

} // namespace tvw::cli
