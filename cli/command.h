// SPDX-License-Identifier: LGPL-2.1-or-later
// The program's commands: each adds itself to the command line and does its work in a callback.
#pragma once

#include <CLI/CLI.hpp>

namespace tvw::cli {

/// What all commands share.
struct Context {
    bool json = false; ///< --json was given
    int status = 0;    ///< what the program ends with unless something is thrown
};

/// A command that knows --json and --verbose. Its callback may throw tvw::Error; main() prints it.
CLI::App *add_command(CLI::App &app, Context &context, const char *name, const char *description);

void add_list(CLI::App &app, Context &context);
void add_weights(CLI::App &app, Context &context);
void add_show(CLI::App &app, Context &context);
void add_fetch(CLI::App &app, Context &context);
void add_cache(CLI::App &app, Context &context);
void add_classify(CLI::App &app, Context &context);
void add_preprocess(CLI::App &app, Context &context);
void add_describe(CLI::App &app, Context &context);
void add_run(CLI::App &app, Context &context);
void add_check(CLI::App &app, Context &context);
void add_graph(CLI::App &app, Context &context);
void add_bench(CLI::App &app, Context &context);
void add_profile(CLI::App &app, Context &context);
/// After all others, which it knows by looking.
void add_complete(CLI::App &app);

} // namespace tvw::cli
