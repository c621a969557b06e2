// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw graph: the network of a builder as text or for Graphviz.
#include "command.h"
#include "json.h"
#include "table.h"

#include <tvw/engine.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tvw::cli {
namespace {

/// The parameters a checkpoint of the model must hold.
nlohmann::ordered_json parameters_json(const GraphRequest &request) {
    auto list = nlohmann::ordered_json::array();
    for (const ParameterSpec &spec :
         engine_library().parameters(request.builder, request.arguments))
        list.push_back({{"name", spec.key},
                        {"dtype", dtype_name(spec.dtype)},
                        {"shape", spec.shape},
                        {"trainable", spec.trainable},
                        {"kind", state_kind_name(spec.kind)}});
    return list;
}

nlohmann::ordered_json kernels_json(const std::vector<NodeTime> &kernels) {
    auto list = nlohmann::ordered_json::array();
    for (const NodeTime &node : kernels)
        list.push_back({{"node", node.node},
                        {"op", node.op},
                        {"kernel", node.kernel},
                        {"reason", node.reason}});
    return list;
}

void print_kernels(const std::vector<NodeTime> &kernels) {
    if (kernels.empty()) {
        fmt::print("\nLibTorch's operators compute all nodes.\n");
        return;
    }
    std::vector<std::vector<std::string>> rows{{"node", "op", "kernel", "reason"}};
    for (const NodeTime &node : kernels)
        rows.push_back({node.node, node.op, node.kernel, node.reason});
    fmt::print("\n");
    for (const std::string &line : table_lines(rows))
        fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
}

void print(const GraphRequest &request, const Context &context) {
    const std::string text = engine_library().graph_text(request);
    if (!context.json) {
        fmt::print("{}", text);
        if (request.passes && !request.dot)
            print_kernels(engine_library().kernels(request));
        return;
    }
    nlohmann::ordered_json report{{"model", request.builder},
                                  {"passes", request.passes},
                                  {"format", request.dot ? "dot" : "text"},
                                  {"graph", text},
                                  {"parameters", parameters_json(request)}};
    if (request.passes)
        report["kernels"] = kernels_json(engine_library().kernels(request));
    fmt::print("{}\n", dump(report));
}

} // namespace

void add_graph(CLI::App &app, Context &context) {
    struct Options {
        GraphRequest request;
        std::vector<std::string> settings;
        std::vector<int64_t> input_shape;
    };
    auto options = std::make_shared<Options>();
    CLI::App *command = add_command(app, context, "graph", "Show the graph of a model");
    command->add_option("model", options->request.builder, "A builder's name")->required();
    command->add_option("--set", options->settings, "An argument of the builder, name=value")
        ->allow_extra_args(false);
    command->add_option("--input-shape", options->input_shape, "N,3,H,W")->delimiter(',');
    command->add_flag("--passes", options->request.passes,
                      "After the passes rather than as built, and what computes each node");
    command->add_flag("--dot", options->request.dot, "For Graphviz");
    command->callback([options, &context] {
        for (const std::string &setting : options->settings)
            options->request.arguments.insert(parse_argument(setting));
        if (!options->input_shape.empty())
            options->request.input_shape = options->input_shape;
        print(options->request, context);
    });
}

} // namespace tvw::cli
