// SPDX-License-Identifier: LGPL-2.1-or-later
// What the names of files in the cache say.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tvw {

/// What a file in the cache is, by its name.
enum class CacheRole {
    kCheckpoint,
    kDigest,  ///< "<checkpoint>.sha256"
    kPartial, ///< "<checkpoint>.<random>.part" of ours, ".partial" of torch.hub
    kLock,    ///< "<checkpoint>.lock"
    kCorrupt, ///< "<checkpoint>.corrupt"
};

struct CacheName {
    CacheRole role;
    std::string checkpoint; ///< the name of the checkpoint that it belongs to
};

CacheName parse_cache_name(const std::string &name);

/// "<file><suffix>"
std::filesystem::path with_suffix(const std::filesystem::path &file, const char *suffix);

/// Nobody writes to it any more: a download writes, or gives up, within minutes.
bool is_abandoned(const std::filesystem::path &file);

/// What programs of ours have not finished writing for one checkpoint, or never will.
std::vector<std::filesystem::path> partial_files(const std::filesystem::path &checkpoint);

} // namespace tvw
