// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/checkpoint.h>
#include <tvw/export.h>
#include <tvw/progress.h>
#include <tvw/weights.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// PyTorch's checkpoint cache (torch.hub), shared with Python: each finds what the other fetched.
namespace tvw {

/// $TORCH_HOME, else $XDG_CACHE_HOME/torch, else ~/.cache/torch; then hub/checkpoints.
TVW_API std::filesystem::path checkpoint_dir();

/// Where the checkpoint of these weights is, or will be: a descriptor's own file, or one in the
/// cache.
TVW_API std::filesystem::path checkpoint_path(const Weights &weights);

/// That path, if the file is there; opens no socket.
/// Error(kNotFound) names the expected path, the URL, and what to do.
TVW_API std::filesystem::path find_checkpoint(const Weights &weights);

/// How to download.
struct FetchOptions {
    Progress progress = {}; ///< not called for what is there already
    /// Give up where less than 1 KiB/s arrives for so long, and no longer wait for another process
    /// whose download stands still.
    std::chrono::seconds stall = std::chrono::seconds(30);
};

/// Downloads the file unless it is there, and verifies it either way; a cached file whose digest is
/// wrong is fetched once more, and moved aside when the new one is right. What is in the cache
/// under its name is always complete; any number of processes may fetch at once.
///
/// HTTPS only, redirects included. Environment: TVW_OFFLINE=1 never opens a socket; TVW_MIRROR, an
/// https:// address, replaces everything before the file's name; https_proxy, no_proxy,
/// SSL_CERT_FILE and SSL_CERT_DIR as usual.
///
/// Errors: kNotFound (offline, HTTP 404), kIo (network, a redirect away from https, disk),
/// kMismatch (digest, both values named; more bytes than there can be), kInvalidArgument (an
/// address that is not https).
TVW_API std::filesystem::path fetch_checkpoint(const Weights &weights,
                                               const FetchOptions &options = {});

/// `load_checkpoint` of a file that is there already, compared with the digest that `weights`
/// promises and with the one remembered when the file was first seen (`<file>.sha256`).
/// Error(kMismatch) with both values.
TVW_API Checkpoint load_verified(const Weights &weights, const std::filesystem::path &file);

/// `fetch_checkpoint` and `load_verified` in one, which reads a file that is there only once.
TVW_API Checkpoint get_checkpoint(const Weights &weights, const FetchOptions &options = {});

/// What is in the cache.
struct CachedFile {
    enum class Kind {
        kCheckpoint, ///< whether or not the registry knows it
        kUnfinished, ///< of downloads that may be under way: written to within the last hour
        kLeftover,   ///< of downloads that were killed, moved aside as wrong, or without a file
    };
    std::filesystem::path path;
    Kind kind = Kind::kCheckpoint;
    uint64_t bytes = 0;
    std::vector<Weights> weights; ///< those that the registry keeps there
};

/// Sorted by name; nothing if there is no cache.
TVW_API std::vector<CachedFile> list_cache();

/// The file's SHA-256 if it is what its name, the registry and the remembered digest promise.
/// Error(kMismatch) with both values, kIo.
TVW_API std::string verify_cached(const CachedFile &file);

} // namespace tvw
