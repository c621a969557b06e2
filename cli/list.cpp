// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw list: names of builders.
#include "command.h"

#include <tvw/weights.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tvw::cli {
namespace {

struct ListOptions {
    std::optional<std::string> module;
    std::vector<std::string> include;
    std::vector<std::string> exclude;
};

void list(const ListOptions &options, const Context &context) {
    const auto names = list_models(options.module, options.include, options.exclude);
    if (context.json)
        fmt::print("{}\n", nlohmann::json(names).dump());
    for (size_t i = 0; !context.json && i < names.size(); ++i)
        fmt::print("{}\n", names[i]);
}

} // namespace

void add_list(CLI::App &app, Context &context) {
    auto options = std::make_shared<ListOptions>();
    CLI::App *command = add_command(app, context, "list", "List models");
    command->add_option("--module", options->module,
                        "classification, quantization, detection, segmentation, video, "
                        "optical_flow or extra");
    command
        ->add_option("--include", options->include, "Only names that match this glob, or another")
        ->expected(1)
        ->take_all();
    command->add_option("--exclude", options->exclude, "No names that match this glob")
        ->expected(1)
        ->take_all();
    command->callback([options, &context] { list(*options, context); });
}

} // namespace tvw::cli
