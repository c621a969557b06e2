// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hub/cache_name.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace tvw {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<std::string_view, CacheRole> kSuffixes[] = {
    {".sha256", CacheRole::kDigest},   {".part", CacheRole::kPartial},
    {".partial", CacheRole::kPartial}, {".lock", CacheRole::kLock},
    {".corrupt", CacheRole::kCorrupt},
};

/// Takes ".<hex digits>" off the end; whether it was there.
bool remove_random_part(std::string &name) {
    const size_t dot = name.rfind('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == name.size() ||
        name.find_first_not_of("0123456789abcdef", dot + 1) != std::string::npos)
        return false;
    name.resize(dot);
    return true;
}

} // namespace

CacheName parse_cache_name(const std::string &name) {
    for (const auto &[suffix, role] : kSuffixes) {
        if (!name.ends_with(suffix) || name.size() == suffix.size())
            continue;
        std::string checkpoint = name.substr(0, name.size() - suffix.size());
        if (role != CacheRole::kPartial || remove_random_part(checkpoint))
            return {role, checkpoint};
    }
    return {CacheRole::kCheckpoint, name};
}

fs::path with_suffix(const fs::path &file, const char *suffix) {
    fs::path result = file;
    result += suffix;
    return result;
}

bool is_abandoned(const fs::path &file) {
    constexpr std::chrono::hours kLongAgo(1);
    std::error_code error;
    const auto written = fs::last_write_time(file, error);
    return !error && fs::file_time_type::clock::now() - written > kLongAgo;
}

std::vector<fs::path> partial_files(const fs::path &checkpoint) {
    const std::string name = checkpoint.filename().string();
    std::vector<fs::path> files;
    std::error_code ignored;
    fs::directory_iterator entry(checkpoint.parent_path(), ignored);
    for (; !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
        const CacheName found = parse_cache_name(entry->path().filename().string());
        const bool ours = found.checkpoint == name || found.checkpoint == name + ".sha256";
        if (ours && found.role == CacheRole::kPartial && entry->path().extension() == ".part")
            files.push_back(entry->path());
    }
    return files;
}

} // namespace tvw
