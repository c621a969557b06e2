// SPDX-License-Identifier: LGPL-2.1-or-later
// What is in the cache.
#include "hub/cache_name.h"
#include "hub/digest.h"
#include "weights/entry.h"

#include <tvw/error.h>
#include <tvw/hub.h>

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

namespace tvw {
namespace {

namespace fs = std::filesystem;

using WeightsByName = std::map<std::string, std::vector<Weights>>;

WeightsByName registered_files() {
    WeightsByName files;
    for (const std::string &builder : list_models()) {
        for (const Weights &weights : get_model_weights(builder))
            files[url_file_name(weights.url())].push_back(weights);
    }
    return files;
}

/// None for a digest that stands beside its file.
std::optional<CachedFile::Kind> kind_of(const fs::path &file, const CacheName &name) {
    std::error_code ignored;
    switch (name.role) {
    case CacheRole::kCheckpoint:
        return CachedFile::Kind::kCheckpoint;
    case CacheRole::kPartial:
    case CacheRole::kLock:
        return is_abandoned(file) ? CachedFile::Kind::kLeftover : CachedFile::Kind::kUnfinished;
    case CacheRole::kDigest:
        if (fs::exists(file.parent_path() / name.checkpoint, ignored))
            return std::nullopt;
        return CachedFile::Kind::kLeftover;
    case CacheRole::kCorrupt:
        break;
    }
    return CachedFile::Kind::kLeftover;
}

} // namespace

std::vector<CachedFile> list_cache() {
    std::vector<CachedFile> files;
    WeightsByName registered = registered_files();
    std::error_code error;
    fs::directory_iterator entry(checkpoint_dir(), error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const fs::path &path = entry->path();
        const CacheName name = parse_cache_name(path.filename().string());
        std::error_code gone;
        const auto kind = kind_of(path, name);
        const bool regular = entry->is_regular_file(gone);
        const uint64_t bytes = regular ? entry->file_size(gone) : 0;
        if (kind && regular && !gone)
            files.push_back({path, *kind, bytes, std::move(registered[path.filename().string()])});
    }
    std::sort(files.begin(), files.end(),
              [](const CachedFile &a, const CachedFile &b) { return a.path < b.path; });
    return files;
}

std::string verify_cached(const CachedFile &file) {
    std::string digest = digest_of(file.path).sha256;
    std::vector<Promise> promises;
    for (const Weights &weights : file.weights)
        promises.push_back(promise_of(weights));
    if (promises.empty())
        promises.push_back(promise_of_name(file.path.filename().string()));
    for (const Promise &promise : promises) {
        if (const auto wrong =
                objection(promise, remembered_digest(file.path), file.path.string(), digest))
            throw Error(ErrorKind::kMismatch, *wrong);
    }
    return digest;
}

} // namespace tvw
