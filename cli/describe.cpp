// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw describe: writes the descriptor of a fine-tuned checkpoint.
#include "command.h"
#include "fit.h"
#include "weights_json.h"

#include <tvw/error.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace tvw::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct DescribeOptions {
    std::string checkpoint;
    std::string state_dict_key;
    std::string builder;
    std::vector<std::string> settings;
    std::string categories;
    std::string like;
    std::string output;
    bool force = false;
};

Fit find_fit(const DescribeOptions &options, const std::shared_ptr<const Checkpoint> &checkpoint,
             const std::optional<Weights> &like) {
    Arguments arguments;
    for (const std::string &setting : options.settings)
        arguments.insert(parse_argument(setting));
    if (options.builder.empty())
        return fit_any_builder(checkpoint, arguments, like);
    const WeightsEnum &known = get_model_weights(options.builder);
    return fit_builder(known.builder(), checkpoint, arguments,
                       like ? like : known.default_member());
}

Transforms find_transforms(const std::string &builder, const std::optional<Weights> &like) {
    if (like)
        return like->transforms();
    if (const auto &usual = get_model_weights(builder).default_member())
        return usual->transforms();
    throw Error(ErrorKind::kInvalidArgument,
                builder + " has no weights whose transforms could be taken: name some with --like");
}

/// Runs the network once on what the transforms make. Answers the number of its classes.
int64_t try_out(Engine &engine, const Transforms &transforms) {
    const auto *preset = std::get_if<ImageClassification>(&transforms);
    if (preset == nullptr)
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("transforms for {} serve no classifier: name others with --like",
                                preset_name(transforms)));
    Shape shape = Preprocessor(*preset).output_shape();
    shape.insert(shape.begin(), 1);
    try {
        return engine.run({{"input", HostTensor::zeros(DType::kFloat32, shape)}})
            .front()
            .tensor.numel();
    } catch (const Error &error) {
        throw Error(error.kind(), fmt::format("{}\nIt was given what the transforms make; --like "
                                              "names weights with others",
                                              error.what()));
    }
}

void check_categories(const std::string &file, int64_t num_classes) {
    const auto count = int64_t(load_categories(file)->size());
    if (count != num_classes)
        throw Error(ErrorKind::kMismatch,
                    fmt::format("{} holds {} categories, but the checkpoint has {} classes", file,
                                count, num_classes));
}

/// As seen from a folder; links to folders are followed, the file's own name is kept.
std::string relative_path(const fs::path &file, const fs::path &folder) {
    const fs::path absolute = fs::absolute(file);
    const fs::path target = fs::canonical(absolute.parent_path()) / absolute.filename();
    return target.lexically_relative(fs::weakly_canonical(folder)).string();
}

/// As a person would write it: a key a line, lists of numbers in one.
std::string layout(const Json &json, const std::string &indent = "") {
    if (!json.is_object() && !json.is_array())
        return json.dump();
    const std::string deeper = indent + "  ";
    std::vector<std::string> items;
    for (const auto &item : json.items()) {
        const std::string value = layout(item.value(), deeper);
        items.push_back(json.is_object() ? Json(item.key()).dump() + ": " + value : value);
    }
    return json.is_array()
               ? fmt::format("[{}]", fmt::join(items, ", "))
               : fmt::format("{{\n{}{}\n{}}}", deeper, fmt::join(items, ",\n" + deeper), indent);
}

std::string descriptor_text(const DescribeOptions &options, const Checkpoint &checkpoint,
                            const Fit &fit, const Transforms &transforms) {
    const fs::path folder = (fs::current_path() / options.output).parent_path();
    Json json{{"builder", fit.builder},
              {"arguments", arguments_json(fit.arguments)},
              {"checkpoint", relative_path(checkpoint.path, folder)},
              {"sha256", checkpoint.digest}};
    if (!checkpoint.state_dict_key.empty())
        json["state_dict_key"] = checkpoint.state_dict_key;
    if (!fit.strip_prefix.empty())
        json["strip_prefix"] = fit.strip_prefix;
    if (!options.categories.empty())
        json["categories"] = relative_path(options.categories, folder);
    json["transforms"] = {{"preset", preset_name(transforms)}};
    json["transforms"].update(preset_fields(transforms));
    try {
        return layout(json) + "\n";
    } catch (const Json::exception &) {
        throw Error(ErrorKind::kInvalidArgument,
                    "a descriptor is UTF-8, and the name of a file is not");
    }
}

[[noreturn]] void fail_to_write(const std::string &file) {
    throw Error(ErrorKind::kIo,
                fmt::format("cannot write {}: {}", file, std::generic_category().message(errno)));
}

void write(const std::string &file, const std::string &text, bool replace) {
    std::FILE *stream = std::fopen(file.c_str(), replace ? "w" : "wx");
    if (stream == nullptr && errno == EEXIST)
        throw Error(ErrorKind::kInvalidArgument, file + " is there already: --force replaces it");
    if (stream == nullptr)
        fail_to_write(file);
    try {
        const bool written = std::fputs(text.c_str(), stream) >= 0;
        if (std::fclose(stream) != 0 || !written)
            fail_to_write(file);
        load_descriptor(file); // what is written can be read
    } catch (const Error &) {
        std::error_code ignored;
        fs::remove(file, ignored);
        throw;
    }
}

void describe(const DescribeOptions &options, const Context &context) {
    if (!options.output.empty() && !options.output.ends_with(".json"))
        throw Error(ErrorKind::kInvalidArgument,
                    options.output + ": the name of a descriptor ends in .json");
    std::optional<Weights> like;
    if (!options.like.empty())
        like = find_weights(options.like);
    const auto checkpoint = std::make_shared<const Checkpoint>(
        load_checkpoint(options.checkpoint, {.state_dict_key = options.state_dict_key}));
    const Fit fit = find_fit(options, checkpoint, like);
    const Transforms transforms = find_transforms(fit.builder, like);
    const int64_t num_classes = try_out(*fit.engine, transforms);
    if (!options.categories.empty())
        check_categories(options.categories, num_classes);
    const std::string text = descriptor_text(options, *checkpoint, fit, transforms);
    if (!options.output.empty())
        write(options.output, text, options.force);
    if (options.output.empty() || context.json)
        fmt::print("{}", text);
    else
        fmt::print("{}: {}, {} classes\n", options.output, fit.builder, num_classes);
}

} // namespace

void add_describe(CLI::App &app, Context &context) {
    auto options = std::make_shared<DescribeOptions>();
    CLI::App *command = add_command(app, context, "describe",
                                    "Write the descriptor of a checkpoint that you trained");
    command->add_option("CHECKPOINT", options->checkpoint, "From torch.save, or safetensors")
        ->required();
    command->add_option("--builder", options->builder,
                        "A builder's name; without it, the one that fits");
    command->add_option("--set", options->settings, "An argument of the builder, name=value")
        ->allow_extra_args(false);
    command->add_option("--categories", options->categories, "A text file, one class name a line");
    command->add_option("--like", options->like,
                        "Weights whose transforms to take instead of the builder's DEFAULT");
    command->add_option("--state-dict", options->state_dict_key,
                        "The key under which the state dict stands, where there are several");
    command->add_option("--output", options->output,
                        "The file to write, ending in .json, instead of standard output");
    command->add_flag("--force", options->force, "Replace that file");
    command->callback([options, &context] { describe(*options, context); });
}

} // namespace tvw::cli
