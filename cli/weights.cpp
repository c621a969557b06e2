// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw weights: the checkpoints of one builder, or of all.
#include "command.h"
#include "json.h"
#include "weights_json.h"

#include <tvw/weights.h>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

namespace tvw::cli {
namespace {

std::vector<WeightsEnum> chosen(const std::string &model) {
    if (!model.empty())
        return {get_model_weights(model)};
    std::vector<WeightsEnum> all;
    for (const std::string &name : list_models())
        all.push_back(get_model_weights(name));
    return all;
}

/// "ImageNet-1K acc@1 80.858, acc@5 95.434"
std::string metrics_text(const Meta &meta) {
    std::string text;
    for (const auto &[dataset, values] : meta.metrics) {
        std::string group;
        for (const auto &[name, value] : values)
            group += fmt::format("{}{} {}", group.empty() ? "" : ", ", name, value);
        text += fmt::format("{}{} {}", text.empty() ? "" : "; ", dataset, group);
    }
    return text;
}

void print(const WeightsEnum &weights) {
    fmt::print("{}\n", weights.builder());
    if (weights.members().empty())
        fmt::print("    none built in: give a descriptor (.json)\n");
    for (const Weights &member : weights.members()) {
        const Meta &meta = member.meta();
        fmt::print("  {} {}\n      {:.1f} M parameters, {:.1f} MiB, {}\n",
                   member == weights.default_member() ? "*" : " ", member.name(),
                   double(meta.num_params.value_or(0)) / 1e6, meta.file_size.value_or(0),
                   metrics_text(meta));
    }
}

void weights(const std::string &model, const Context &context) {
    auto json = nlohmann::ordered_json::array();
    for (const WeightsEnum &each : chosen(model)) {
        if (!context.json) {
            print(each);
            continue;
        }
        for (const Weights &member : each.members())
            json.push_back(weights_json(member));
    }
    if (context.json)
        fmt::print("{}\n", dump(json));
    else
        fmt::print("* is DEFAULT\n");
}

} // namespace

void add_weights(CLI::App &app, Context &context) {
    auto model = std::make_shared<std::string>();
    CLI::App *command = add_command(app, context, "weights", "List the checkpoints of models");
    command->add_option("model", *model, "A builder's name; all without it");
    command->callback([model, &context] { weights(*model, context); });
}

} // namespace tvw::cli
