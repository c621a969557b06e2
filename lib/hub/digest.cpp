// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hub/digest.h"

#include "base/text.h"
#include "checkpoint/input_file.h"
#include "checkpoint/output_file.h"
#include "hub/cache_name.h"
#include "hub/location.h"
#include "weights/entry.h"

#include <tvw/checkpoint.h>
#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace tvw {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDigits = 64;
constexpr std::string_view kHex = "0123456789abcdef";

} // namespace

FileDigest digest_of(const fs::path &file) {
    const InputFile input(file, CheckpointLimits{}.file_bytes);
    FileDigest result{input.digest(), input.size()};
    input.check_unchanged();
    return result;
}

Promise promise_of_name(const std::string &name) {
    constexpr size_t kFewest = 8;
    const size_t dash = name.rfind('-');
    if (dash == std::string::npos)
        return {};
    const size_t end = name.find_first_not_of(kHex, dash + 1);
    const size_t digits = end == std::string::npos ? 0 : end - dash - 1;
    if (digits < kFewest || digits > kDigits || name[end] != '.')
        return {};
    return {name.substr(dash + 1, digits), "its name"};
}

Promise promise_of(const Weights &weights) {
    if (!weights.sha256().empty() || weights.checkpoint())
        return {weights.sha256(), weights.name()};
    return promise_of_name(url_file_name(weights.url()));
}

std::string remembered_digest(const fs::path &file) {
    constexpr size_t kLongestFile = 4096;
    try {
        const std::string text = read_text_file(with_suffix(file, ".sha256"), kLongestFile);
        const size_t end = std::min(text.find_first_not_of(kHex), text.size());
        return end == kDigits ? text.substr(0, end) : "";
    } catch (const Error &) {
        return "";
    }
}

void remember_digest(const fs::path &file, const std::string &digest) {
    if (remembered_digest(file) == digest)
        return;
    const std::string line = digest + "  " + file.filename().string() + "\n";
    try {
        OutputFile output(with_suffix(file, ".sha256"));
        output.write(std::as_bytes(std::span(line)));
        output.commit();
    } catch (const Error &) {
        // A cache that is read-only or full can still be read; the next one to load it tries again.
    }
}

std::optional<std::string> objection(const Promise &promise, const std::string &remembered,
                                     const std::string &file, std::string_view digest) {
    const bool whole = promise.digest.size() == kDigits;
    if (!digest.starts_with(promise.digest))
        return fmt::format("{} has SHA-256 {}, but {} promises {}{}", file, digest, promise.by,
                           promise.digest, whole ? "" : "…");
    if (!whole && !remembered.empty() && remembered != digest)
        return fmt::format("{0} has SHA-256 {1}, but {0}.sha256 remembers {2}", file, digest,
                           remembered);
    return std::nullopt;
}

std::optional<std::string> examine(const Weights &weights, const fs::path &file,
                                   const std::string &digest) {
    // A file of the user's own changes whenever they train it again.
    const bool cached = !weights.checkpoint();
    auto result = objection(promise_of(weights), cached ? remembered_digest(file) : "",
                            file.string(), digest);
    if (cached && !result)
        remember_digest(file, digest);
    return result;
}

void refuse(const Weights &weights, const std::string &objection) {
    throw Error(ErrorKind::kMismatch,
                objection + (weights.checkpoint()
                                 ? "\nCorrect sha256 in the descriptor, or bring the file back"
                                 : "\nTo fetch it again: " + fetch_command(weights)));
}

} // namespace tvw
