// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/hub.h>

#include "weights/entry.h"

#include <tvw/error.h>

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

fs::path find_checkpoint(const Weights &weights) {
    std::error_code ignored;
    if (const auto &own = weights.checkpoint()) {
        if (fs::exists(*own, ignored))
            return *own;
        throw Error(ErrorKind::kNotFound,
                    weights.name() + ": its checkpoint " + own->string() + " is not there");
    }
    fs::path file = checkpoint_dir() / url_file_name(weights.url());
    if (fs::exists(file, ignored))
        return file;
    throw Error(ErrorKind::kNotFound,
                weights.name() + ": no checkpoint at " + file.string() +
                    "\nTo get it: curl -L --create-dirs -o '" + file.string() + "' '" +
                    weights.url() +
                    "' ; or let torchvision fetch it once; or give another file as checkpoint");
}

void verify_digest(const Weights &weights, const fs::path &file, std::string_view digest) {
    if (!digest.starts_with(weights.sha256()))
        throw Error(ErrorKind::kMismatch, file.string() + " has SHA-256 " + std::string(digest) +
                                              ",\nbut " + weights.name() + " promises " +
                                              weights.sha256() +
                                              (weights.sha256().size() < digest.size() ? "…" : "") +
                                              ": fetch the file again, or correct sha256");
}

} // namespace tvw
