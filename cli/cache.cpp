// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw cache: what is in the cache, whether it is right, and what can go.
#include "command.h"
#include "json.h"

#include <tvw/error.h>
#include <tvw/hub.h>

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

namespace tvw::cli {
namespace {

constexpr double kMegabyte = 1e6;

std::string kind_name(CachedFile::Kind kind) {
    constexpr const char *kNames[] = {"checkpoint", "unfinished", "leftover"};
    return kNames[size_t(kind)];
}

/// "ResNet50_Weights.IMAGENET1K_V2", or what it is instead.
std::string names_text(const CachedFile &file) {
    std::string text;
    for (const Weights &weights : file.weights)
        text += (text.empty() ? "" : ", ") + weights.name();
    if (!text.empty())
        return text;
    return file.kind == CachedFile::Kind::kCheckpoint ? "-" : kind_name(file.kind);
}

nlohmann::ordered_json file_json(const CachedFile &file) {
    auto names = nlohmann::ordered_json::array();
    for (const Weights &weights : file.weights)
        names.push_back(weights.name());
    return {{"file", file.path.native()},
            {"kind", kind_name(file.kind)},
            {"bytes", file.bytes},
            {"weights", std::move(names)}};
}

void list(Context &context) {
    uint64_t bytes = 0;
    const std::vector<CachedFile> files = list_cache();
    for (const CachedFile &file : files) {
        bytes += file.bytes;
        if (context.json)
            fmt::print("{}\n", dump(file_json(file)));
        else
            fmt::print("{:>9.1f} MB  {}  {}\n", double(file.bytes) / kMegabyte,
                       file.path.filename().string(), names_text(file));
    }
    if (!context.json)
        fmt::print("{} files, {:.1f} MB in {}\n", files.size(), double(bytes) / kMegabyte,
                   checkpoint_dir().string());
}

/// One file's line; whether it is right.
bool verify_one(const CachedFile &file, bool json) {
    nlohmann::ordered_json object = file_json(file);
    try {
        const std::string digest = verify_cached(file);
        object.update({{"digest", digest}, {"error", nullptr}});
        if (!json)
            fmt::print("right  {}\n", file.path.filename().string());
    } catch (const Error &error) {
        object.update({{"digest", nullptr}, {"error", error_json(error)}});
        if (!json)
            fmt::print("WRONG  {}\n", error.what());
    }
    if (json)
        fmt::print("{}\n", dump(object));
    std::fflush(stdout);
    return object["error"].is_null();
}

void verify(Context &context) {
    size_t right = 0;
    size_t wrong = 0;
    for (const CachedFile &file : list_cache()) {
        if (file.kind == CachedFile::Kind::kCheckpoint)
            ++(verify_one(file, context.json) ? right : wrong);
    }
    if (!context.json)
        fmt::print("{} right, {} wrong\n", right, wrong);
    if (wrong > 0)
        context.status = 1;
}

void prune(Context &context) {
    size_t count = 0;
    uint64_t bytes = 0;
    for (const CachedFile &file : list_cache()) {
        if (file.kind != CachedFile::Kind::kLeftover)
            continue;
        std::error_code error;
        std::filesystem::remove(file.path, error);
        if (error)
            throw Error(ErrorKind::kIo,
                        fmt::format("cannot remove {}: {}", file.path.string(), error.message()));
        ++count;
        bytes += file.bytes;
        if (context.json)
            fmt::print("{}\n", dump(file_json(file)));
        else
            fmt::print("removed {} ({} bytes)\n", file.path.filename().string(), file.bytes);
    }
    if (!context.json)
        fmt::print("{} leftovers removed, {} bytes\n", count, bytes);
}

} // namespace

void add_cache(CLI::App &app, Context &context) {
    CLI::App *command = app.add_subcommand("cache", "List, verify and clean the cache");
    command->require_subcommand(1);
    add_command(*command, context, "list", "Files, their sizes, and whose checkpoints they are")
        ->callback([&context] { list(context); });
    add_command(*command, context, "verify", "Compare every file with its digest")
        ->callback([&context] { verify(context); });
    add_command(*command, context, "prune", "Remove what interrupted downloads left")
        ->callback([&context] { prune(context); });
}

} // namespace tvw::cli
