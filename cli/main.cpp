// SPDX-License-Identifier: LGPL-2.1-or-later
// The program tvw: reads the command line, runs one command, turns errors into text or JSON.
#include "command.h"
#include "json.h"

#include <tvw/error.h>
#include <tvw/log.h>

#include <cstdio>
#include <exception>

namespace tvw::cli {

namespace {

void show_log() {
    set_log_sink([](LogLevel /*level*/, std::string_view message) {
        std::fprintf(stderr, "tvw: %.*s\n", int(message.size()), message.data());
    });
}

} // namespace

CLI::App *add_command(CLI::App &app, Context &context, const char *name, const char *description) {
    CLI::App *command = app.add_subcommand(name, description);
    command->add_flag("--json", context.json, "Write JSON instead of text");
    // Acts when it is read, before the command does its work.
    command->add_flag_callback("--verbose", show_log, "Say on standard error what is decided");
    return command;
}

namespace {

void print_error(const Context &context, std::string_view kind, const std::exception &error,
                 std::optional<uint64_t> offset) {
    if (!context.json) {
        std::fprintf(stderr, "tvw: %s\n", error.what());
        return;
    }
    nlohmann::ordered_json body{{"kind", kind}, {"message", error.what()}, {"offset", nullptr}};
    if (offset)
        body["offset"] = *offset;
    std::fprintf(stderr, "%s\n", dump({{"error", body}}).c_str());
}

int run(int argc, char **argv) {
    constexpr int kFailure = 1;
    constexpr int kUsage = 2;
    CLI::App app("torchvision checkpoints without Python", "tvw");
    app.require_subcommand(1);
    Context context;
    // Commands in the order in which --help shows them.
    add_list(app, context);
    add_weights(app, context);
    add_show(app, context);
    add_fetch(app, context);
    add_cache(app, context);
    add_classify(app, context);
    add_preprocess(app, context);
    add_check(app, context);
    add_describe(app, context);
    add_run(app, context);
    add_graph(app, context);
    add_bench(app, context);
    add_profile(app, context);
    add_complete(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    } catch (const Error &error) {
        print_error(context, error_kind_name(error.kind()), error, error.offset());
        return kFailure;
    } catch (const std::exception &error) {
        print_error(context, error_kind_name(ErrorKind::kInternal), error, {});
        return kFailure;
    }
    return context.status;
}

} // namespace
} // namespace tvw::cli

int main(int argc, char **argv) {
    return tvw::cli::run(argc, argv);
}
