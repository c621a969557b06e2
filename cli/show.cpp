// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw show: all that is known of one checkpoint.
#include "command.h"
#include "json.h"
#include "weights_json.h"

#include <tvw/weights.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace tvw::cli {
namespace {

/// "1000: tench, goldfish, great white shark, …"
std::string categories_text(const std::vector<std::string> &categories) {
    constexpr size_t kShown = 3;
    std::string text = fmt::format("{}:", categories.size());
    for (size_t i = 0; i < std::min(kShown, categories.size()); ++i)
        text += fmt::format("{} {}", i == 0 ? "" : ",", categories[i]);
    return text + (categories.size() > kShown ? ", …" : "");
}

void print_meta(const Weights &weights) {
    const auto meta = nlohmann::ordered_json::parse(weights.meta_json());
    for (const auto &item : meta.items()) {
        const bool text = item.value().is_string();
        std::string value = text ? item.value().get<std::string>() : dump(item.value());
        if (item.key() == "categories" && weights.meta().categories)
            value = categories_text(*weights.meta().categories);
        fmt::print("  {:<17} {}\n", item.key(), value);
    }
}

void print(const Weights &weights) {
    fmt::print("{}{}\n", weights.name(), weights.aliases().empty() ? "" : " (DEFAULT)");
    fmt::print("builder: {}\n", weights.builder());
    if (const auto &checkpoint = weights.checkpoint())
        fmt::print("checkpoint: {}\n", checkpoint->string());
    else
        fmt::print("url: {}\n", weights.url());
    fmt::print("transforms: {}\n", repr(weights.transforms()));
    const auto fields = preset_fields(weights.transforms());
    for (const auto &item : fields.items())
        fmt::print("  {:<17} {}\n", item.key(), dump(item.value()));
    fmt::print("meta:\n");
    print_meta(weights);
}

} // namespace

void add_show(CLI::App &app, Context &context) {
    auto text = std::make_shared<std::string>();
    CLI::App *command = add_command(app, context, "show", "Show what is known of a checkpoint");
    command->add_option("weights", *text, "Enum.MEMBER, a builder's name, or a descriptor")
        ->required();
    command->callback([text, &context] {
        const Weights weights = find_weights(*text);
        if (context.json)
            fmt::print("{}\n", dump(weights_json(weights)));
        else
            print(weights);
    });
}

} // namespace tvw::cli
