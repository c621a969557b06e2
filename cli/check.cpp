// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw check: what a checkpoint file holds, or why it cannot be read.
#include "command.h"
#include "json.h"

#include <tvw/checkpoint.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tvw::cli {
namespace {

/// A line of the table.
struct Row {
    std::string name;
    DType dtype;
    std::optional<Shape> shape; ///< none for a value that is a dtype itself
};

/// One row per tensor: those of a pair are called ".0" and ".1".
std::vector<Row> make_rows(const StateDict &state_dict) {
    std::vector<Row> rows;
    for (const auto &[key, value] : state_dict.entries()) {
        if (const auto *tensor = std::get_if<HostTensor>(&value)) {
            rows.push_back({key, tensor->dtype(), tensor->shape()});
        } else if (const auto *pair = std::get_if<std::vector<HostTensor>>(&value)) {
            for (size_t i = 0; i < pair->size(); ++i) {
                rows.push_back(
                    {fmt::format("{}.{}", key, i), (*pair)[i].dtype(), (*pair)[i].shape()});
            }
        } else {
            rows.push_back({key, std::get<DType>(value), std::nullopt});
        }
    }
    return rows;
}

void print_json(const Checkpoint &checkpoint, const std::vector<Row> &rows) {
    auto tensors = nlohmann::ordered_json::array();
    for (const Row &row : rows) {
        nlohmann::ordered_json tensor{{"name", row.name}, {"dtype", dtype_name(row.dtype)}};
        tensor["shape"] = row.shape ? nlohmann::ordered_json(*row.shape) : nullptr;
        tensors.push_back(std::move(tensor));
    }
    const nlohmann::ordered_json object{{"file", checkpoint.path.native()},
                                        {"container", container_name(checkpoint.container)},
                                        {"digest", checkpoint.digest},
                                        {"state_dict_key", checkpoint.state_dict_key},
                                        {"tensors", std::move(tensors)}};
    fmt::print("{}\n", dump(object));
}

/// A key may hold anything that is UTF-8, and terminals obey control characters.
std::string printable(const std::string &name) {
    std::string text = nlohmann::json(name).dump();
    return text == '"' + name + '"' ? name : text;
}

void print_text(const Checkpoint &checkpoint, const std::vector<Row> &rows) {
    size_t width = 0;
    size_t tensors = 0;
    uint64_t elements = 0;
    uint64_t bytes = 0;
    for (const Row &row : rows) {
        width = std::max(width, printable(row.name).size());
        if (!row.shape)
            continue;
        const auto count = uint64_t(numel(*row.shape));
        ++tensors;
        elements += count;
        bytes += count * item_size(row.dtype);
    }
    for (const Row &row : rows) {
        fmt::print("{:<{}}  {:<8}  {}\n", printable(row.name), width, dtype_name(row.dtype),
                   row.shape ? shape_text(*row.shape) : "(a dtype)");
    }
    if (!checkpoint.state_dict_key.empty())
        fmt::print("state dict under {}\n", printable(checkpoint.state_dict_key));
    constexpr double kMebibyte = 1 << 20;
    fmt::print("{} tensors, {} elements, {:.1f} MiB\n{} container, SHA-256 {}\n", tensors, elements,
               double(bytes) / kMebibyte, container_name(checkpoint.container), checkpoint.digest);
}

} // namespace

void add_check(CLI::App &app, Context &context) {
    CLI::App *command = add_command(app, context, "check", "What a checkpoint file holds");
    auto file = std::make_shared<std::string>();
    auto options = std::make_shared<CheckpointOptions>();
    command->add_option("FILE", *file, "From torch.save, or safetensors")->required();
    command->add_option("--state-dict", options->state_dict_key,
                        "The key under which the state dict stands, where there are several");
    command->callback([file, options, &context] {
        const Checkpoint checkpoint = load_checkpoint(*file, *options);
        const std::vector<Row> rows = make_rows(checkpoint.state_dict);
        context.json ? print_json(checkpoint, rows) : print_text(checkpoint, rows);
    });
}

} // namespace tvw::cli
