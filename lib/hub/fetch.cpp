// SPDX-License-Identifier: LGPL-2.1-or-later
// Brings a checkpoint into the cache. Under its name it is complete or not there: everything else
// (the lock, the order of those who come) only saves work.
#include "base/shared_library.h"
#include "hub/cache_name.h"
#include "hub/courtesy_lock.h"
#include "hub/digest.h"
#include "hub/incoming_file.h"
#include "hub/location.h"

#include <tvw/error.h>
#include <tvw/hub.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tvw {
namespace {

namespace fs = std::filesystem;

/// What stands under the checkpoint's name.
struct Found {
    bool there = false;
    uint64_t bytes = 0;
    std::optional<std::string> objection;

    bool right() const { return there && !objection; }
};

Found look_at(const Weights &weights, const fs::path &file) {
    try {
        const auto [digest, bytes] = digest_of(file);
        return {true, bytes, examine(weights, file, digest)};
    } catch (const Error &error) {
        if (error.kind() != ErrorKind::kNotFound)
            throw;
        return {};
    }
}

/// Folders that are not there yet, for the user alone.
void make_folder(const fs::path &folder) {
    std::error_code ignored;
    if (fs::exists(folder, ignored))
        return;
    if (folder.has_parent_path() && folder.parent_path() != folder)
        make_folder(folder.parent_path());
    constexpr mode_t kMode = 0700;
    if (mkdir(folder.c_str(), kMode) != 0 && errno != EEXIST) {
        throw Error(ErrorKind::kIo, fmt::format("cannot make the folder {}: {}", folder.string(),
                                                std::generic_category().message(errno)));
    }
}

/// Published sizes are rounded, and descriptors' are what their authors wrote.
uint64_t most_bytes(const Weights &weights) {
    constexpr double kMebibyte = 1 << 20;
    constexpr double kSlack = 16 * kMebibyte;
    const uint64_t limit = CheckpointLimits{}.file_bytes;
    const auto &size = weights.meta().file_size;
    if (!size || !(*size > 0))
        return limit;
    return uint64_t(std::min(double(limit), 2 * *size * kMebibyte + kSlack));
}

download::Transfer &open_transfer() {
    try {
        auto *entry = reinterpret_cast<download::TransferEntry *>(
            open_library("tvw-download", download::kTransferEntry));
        return *entry();
    } catch (const Error &error) {
        throw Error(ErrorKind::kNotSupported,
                    std::string("downloads need libtvw-download, which this build or machine "
                                "lacks\n") +
                        error.what());
    }
}

download::Transfer &transfer() {
    static download::Transfer &instance = open_transfer();
    return instance;
}

/// One attempt; ends with the right file in place, or with an error and everything as it was.
class Download {
public:
    Download(const Weights &weights, fs::path file, const FetchOptions &options)
        : weights_(weights),
          file_(std::move(file)),
          options_(options),
          report_(file_.filename().string(), options.progress) {}

    void run(Found found) {
        const std::string url = download_url(weights_);
        if (is_offline()) {
            throw Error(
                ErrorKind::kNotFound,
                fmt::format("{}: TVW_OFFLINE is set, and there is no right checkpoint at {}",
                            weights_.name(), file_.string()));
        }
        make_folder(file_.parent_path());
        CourtesyLock lock(file_, options_.stall,
                          [this](uint64_t bytes) { report_.show(bytes, std::nullopt); });
        // Somebody else may have been here while we waited, or since we looked.
        if (std::error_code ignored;
            (lock.waited() || !found.there) && fs::exists(file_, ignored)) {
            lock.release(); // hashing takes its time, and needs no turn
            found = look_at(weights_, file_);
            if (found.right())
                return report_.done(found.bytes);
        }
        remove_abandoned();
        receive(url, found);
    }

    bool stopped() const { return report_.stopped(); }

private:
    void remove_abandoned() const {
        for (const fs::path &part : partial_files(file_)) {
            if (std::error_code ignored; is_abandoned(part))
                fs::remove(part, ignored);
        }
    }

    void receive(const std::string &url, const Found &found) {
        const std::string source = without_credentials(url);
        IncomingFile incoming(file_, source, most_bytes(weights_), report_);
        if (const auto failure = transfer().get({url, options_.stall}, incoming)) {
            throw Error(failure->kind(), fmt::format("{}: cannot download {}: {}", weights_.name(),
                                                     source, failure->what()));
        }
        const std::string digest = incoming.digest();
        const std::string remembered = found.there ? remembered_digest(file_) : "";
        if (const auto wrong = objection(promise_of(weights_), remembered, source, digest))
            throw Error(ErrorKind::kMismatch, *wrong);
        put_in_place(incoming.output(), found.there);
        remember_digest(file_, digest);
        report_.done(incoming.size());
    }

    void put_in_place(OutputFile &output, bool replace) const {
        output.sync(); // what can fail comes first: from here on the cache changes
        const fs::path aside = with_suffix(file_, ".corrupt");
        std::error_code ignored;
        if (replace)
            fs::rename(file_, aside, ignored);
        else // what is remembered there was another file's
            fs::remove(with_suffix(file_, ".sha256"), ignored);
        try {
            output.commit();
        } catch (const Error &) {
            if (replace)
                fs::rename(aside, file_, ignored);
            throw;
        }
    }

    const Weights &weights_;
    fs::path file_;
    const FetchOptions &options_;
    ProgressReport report_;
};

} // namespace

fs::path fetch_checkpoint(const Weights &weights, const FetchOptions &options) {
    fs::path file = weights.checkpoint() ? find_checkpoint(weights) : checkpoint_path(weights);
    const Found found = look_at(weights, file);
    if (found.right())
        return file;
    if (weights.checkpoint())
        refuse(weights, *found.objection);
    Download download(weights, file, options);
    try {
        download.run(found);
    } catch (const Error &error) {
        if (!found.objection || download.stopped())
            throw;
        throw Error(ErrorKind::kMismatch,
                    *found.objection + "\nand fetching it again failed: " + error.what());
    }
    return file;
}

} // namespace tvw
