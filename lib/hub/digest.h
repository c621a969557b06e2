// SPDX-License-Identifier: LGPL-2.1-or-later
// What the SHA-256 of a cached file must be.
#pragma once

#include <tvw/weights.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tvw {

/// What a file holds, of one reading.
struct FileDigest {
    std::string sha256;
    uint64_t bytes = 0;
};
/// Errors as of InputFile, and kIo where the file changes meanwhile.
FileDigest digest_of(const std::filesystem::path &file);

/// A SHA-256 or its leading digits, and who says so.
struct Promise {
    std::string digest; ///< may be empty
    std::string by;
};

/// By the weights themselves, else by the name of the file that they are fetched from.
Promise promise_of(const Weights &weights);

/// By a name such as "resnet50-11ad3fa6.pth", as torch.hub understands it; at least 8 digits.
Promise promise_of_name(const std::string &name);

/// The digest in "<file>.sha256"; empty where there is none, or something else.
std::string remembered_digest(const std::filesystem::path &file);

/// Writes "<file>.sha256" in sha256sum's format, where the folder lets us.
void remember_digest(const std::filesystem::path &file, const std::string &digest);

/// Why a file with this SHA-256 must not be used: a sentence with both digests. None if all is
/// well. What is remembered (or "") counts unless the promise is a whole digest.
std::optional<std::string> objection(const Promise &promise, const std::string &remembered,
                                     const std::string &file, std::string_view digest);

/// The same for a checkpoint on the disk; where there is no objection to one of the cache, its
/// digest is remembered.
std::optional<std::string> examine(const Weights &weights, const std::filesystem::path &file,
                                   const std::string &digest);

/// Throws Error(kMismatch): the objection, and what to do.
[[noreturn]] void refuse(const Weights &weights, const std::string &objection);

} // namespace tvw
