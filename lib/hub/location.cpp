// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hub/location.h"

#include "base/text.h"
#include "weights/entry.h"

#include <tvw/error.h>
#include <tvw/hub.h>

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

namespace tvw {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> environment(const char *name) {
    const char *value = std::getenv(name);
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

/// $HOME, else what the system knows of the user.
std::string home() {
    if (const auto home = environment("HOME"))
        return *home;
    std::array<char, 16384> buffer{};
    passwd entry = {};
    passwd *found = nullptr;
    ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
    return found != nullptr ? found->pw_dir : "~";
}

/// Python's os.path.expanduser for the user's own "~".
fs::path expand_user(const std::string &path) {
    const bool own = path == "~" || path.starts_with("~/");
    return own ? home() + path.substr(1) : path;
}

} // namespace

fs::path checkpoint_dir() {
    const fs::path cache = environment("XDG_CACHE_HOME").value_or("~/.cache");
    const std::string torch = environment("TORCH_HOME").value_or((cache / "torch").string());
    return expand_user(torch) / "hub" / "checkpoints";
}

fs::path checkpoint_path(const Weights &weights) {
    if (const auto &own = weights.checkpoint())
        return *own;
    return checkpoint_dir() / url_file_name(weights.url());
}

fs::path find_checkpoint(const Weights &weights) {
    fs::path file = checkpoint_path(weights);
    std::error_code ignored;
    if (fs::exists(file, ignored))
        return file;
    if (weights.checkpoint()) {
        throw Error(ErrorKind::kNotFound,
                    weights.name() + ": its checkpoint " + file.string() + " is not there");
    }
    throw Error(ErrorKind::kNotFound, weights.name() + ": no checkpoint at " + file.string() +
                                          "\nTo get it from " + without_credentials(weights.url()) +
                                          ": " + fetch_command(weights));
}

bool is_offline() {
    const std::string value = environment("TVW_OFFLINE").value_or("");
    return !value.empty() && value != "0";
}

std::string download_url(const Weights &weights) {
    constexpr std::string_view kScheme = "https://";
    std::string mirror = environment("TVW_MIRROR").value_or("");
    if (!mirror.empty() && !mirror.starts_with(kScheme)) {
        throw Error(ErrorKind::kInvalidArgument,
                    "TVW_MIRROR must be an https:// address, not " + in_quotes(mirror));
    }
    if (mirror.empty()) {
        if (!weights.url().starts_with(kScheme))
            throw Error(ErrorKind::kInvalidArgument, weights.name() +
                                                         ": only https:// is fetched, not " +
                                                         in_quotes(weights.url()));
        return weights.url();
    }
    if (!mirror.ends_with('/'))
        mirror += '/';
    return mirror + url_file_name(weights.url());
}

std::string without_credentials(const std::string &url) {
    const size_t host = url.find("//") + 2;
    const size_t at = url.substr(0, url.find('/', host)).rfind('@');
    return at == std::string::npos ? url : url.substr(0, host) + url.substr(at + 1);
}

std::string fetch_command(const Weights &weights) {
    bool registered = false;
    try {
        registered = get_weight(weights.name()) == weights;
    } catch (const Error &) {
        // Then it is a descriptor, which is found by its file only.
    }
    return "tvw fetch " + weights.name() + (registered ? "" : ".json");
}

} // namespace tvw
