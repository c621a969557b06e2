// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw complete: what the word at the cursor may become, for the shells' completion scripts.
// Commands and options are those that the program has; only what their arguments stand for is said
// here.
#include "command.h"

#include <tvw/weights.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace tvw::cli {
namespace {

/// A word, and what the shell may print beside it.
struct Candidate {
    std::string text;
    std::string description;
};

void add_builders(std::vector<Candidate> &out) {
    for (const std::string &name : list_models())
        out.push_back({name, "builder"});
}

/// Members, DEFAULT, and descriptors in TVW_WEIGHTS_PATH.
void add_weights_names(std::vector<Candidate> &out) {
    for (const std::string &builder : list_models()) {
        const WeightsEnum &weights = get_model_weights(builder);
        for (const Weights &member : weights)
            out.push_back({member.name(), builder});
        out.push_back({weights.name() + ".DEFAULT", builder});
    }
    const char *path = std::getenv("TVW_WEIGHTS_PATH");
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
        std::error_code ignored;
        for (const auto &file : std::filesystem::directory_iterator(folder, ignored))
            if (file.path().extension() == ".json")
                out.push_back({file.path().stem().string(), "descriptor"});
    }
}

template<size_t n>
void add_words(std::vector<Candidate> &out, const std::array<const char *, n> &words) {
    for (const char *word : words)
        out.push_back({word, ""});
}

/// What an option's value or a positional argument may be, by its name. True where it may be a file
/// as well.
bool add_values(const CLI::Option &option, std::vector<Candidate> &out) {
    constexpr std::array kModules = {"classification", "quantization", "detection", "segmentation",
                                     "video",          "optical_flow", "extra"};
    constexpr std::array kDevices = {"auto", "cpu", "cuda"};
    constexpr std::array kPrecisions = {"fp32", "tf32", "fp16", "bf16"};
    constexpr std::array kBackends = {"auto", "reference"};
    constexpr std::array kPreprocessModes = {"exact", "fast"};
    std::string name = option.get_positional() ? option.get_name() : option.get_lnames().front();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    if (name == "model" || name == "builder" || name == "include" || name == "exclude") {
        add_builders(out);
        return false;
    }
    if (name == "weights" || name == "like") {
        add_builders(out);
        add_weights_names(out);
        return true;
    }
    if (name == "module")
        add_words(out, kModules);
    else if (name == "device")
        add_words(out, kDevices);
    else if (name == "precision")
        add_words(out, kPrecisions);
    else if (name == "backend")
        add_words(out, kBackends);
    else if (name == "preprocess")
        add_words(out, kPreprocessModes);
    else
        return option.get_type_name() == "TEXT" && name != "set" && name != "state-dict";
    return false;
}

bool takes_value(const CLI::Option &option) {
    return option.get_items_expected_max() > 0;
}

/// How far the words before the cursor lead.
class Position {
public:
    explicit Position(const CLI::App &app) : command_(&app) {}

    void advance(const std::string &word) {
        if (pending_ != nullptr) {
            pending_ = nullptr;
        } else if (word.starts_with('-')) {
            const CLI::Option *option = command_->get_option_no_throw(word);
            if (option != nullptr && takes_value(*option))
                pending_ = option;
        } else if (const CLI::App *next = find_command(word)) {
            command_ = next;
            positionals_ = 0;
        } else {
            ++positionals_;
        }
    }

    /// What `word`, if it stands here, is the value of; nullptr where it is none.
    const CLI::Option *value_of(std::string_view word) const {
        if (pending_ != nullptr)
            return pending_;
        if (word.starts_with('-'))
            return nullptr;
        const auto all = command_->get_options(
            [](const CLI::Option *option) { return option->get_positional(); });
        if (positionals_ < all.size())
            return all[positionals_];
        return !all.empty() && all.back()->get_items_expected_max() > 1 ? all.back() : nullptr;
    }

    void add_options(std::vector<Candidate> &out) const {
        for (const CLI::Option *option : command_->get_options())
            if (!option->get_lnames().empty())
                out.push_back({"--" + option->get_lnames().front(), option->get_description()});
    }

    void add_commands(std::vector<Candidate> &out) const {
        for (const CLI::App *command : commands())
            out.push_back({command->get_name(), command->get_description()});
    }

private:
    /// Those that --help shows.
    std::vector<const CLI::App *> commands() const {
        return command_->get_subcommands(
            [](const CLI::App *command) { return !command->get_group().empty(); });
    }

    const CLI::App *find_command(const std::string &name) const {
        const auto all = commands();
        const auto found = std::find_if(all.begin(), all.end(), [&](const CLI::App *command) {
            return command->get_name() == name;
        });
        return found == all.end() ? nullptr : *found;
    }

    const CLI::App *command_;
    const CLI::Option *pending_ = nullptr; ///< the next word is its value
    size_t positionals_ = 0;
};

/// One candidate a line, a tab before its description; the line ":" says that files fit as well.
void complete(const CLI::App &app, const std::vector<std::string> &words) {
    Position position(app);
    for (size_t i = 0; i + 1 < words.size(); ++i)
        position.advance(words[i]);
    std::string word = words.empty() ? "" : words.back();
    std::string prefix;
    if (const size_t equals = word.find('='); word.starts_with("--") && equals != word.npos) {
        position.advance(word.substr(0, equals));
        prefix = word.substr(0, equals + 1);
        word.erase(0, equals + 1);
    }
    std::vector<Candidate> candidates;
    bool files = false;
    if (const CLI::Option *option = position.value_of(word))
        files = add_values(*option, candidates);
    else if (word.starts_with('-'))
        position.add_options(candidates);
    else
        position.add_commands(candidates);
    for (const auto &[text, description] : candidates)
        if (text.starts_with(word))
            fmt::print("{}{}\t{}\n", prefix, text, description);
    if (files)
        fmt::print(":\n");
}

} // namespace

void add_complete(CLI::App &app) {
    auto words = std::make_shared<std::vector<std::string>>();
    CLI::App *command = app.add_subcommand("complete", "Complete a command line");
    command->group(""); // for scripts, not in --help
    command->add_option("words", *words, "All but the program's name, the last one to complete");
    command->callback([words, &app] { complete(app, *words); });
}

} // namespace tvw::cli
