// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/sha256.h"
#include "checkpoint/output_file.h"
#include "download/transfer.h"

#include <tvw/progress.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

namespace tvw {

/// Tells of one download, a few times a second at most.
class ProgressReport {
public:
    ProgressReport(std::string file, const Progress &progress);

    void show(uint64_t received_bytes, std::optional<uint64_t> total_bytes);
    /// The last call.
    void done(uint64_t bytes);
    /// Whether the listener threw: that ends everything, and is passed on as it is.
    bool stopped() const { return stopped_; }

private:
    void call();

    DownloadState state_;
    const Progress &progress_;
    bool stopped_ = false;
    std::chrono::steady_clock::time_point next_ = {};
};

/// A file on its way into the cache: hashed while it arrives, bounded, gone unless it is committed.
class IncomingFile : public download::Sink {
public:
    /// From `source`, as messages call it; more than `limit` bytes are an Error(kMismatch).
    IncomingFile(const std::filesystem::path &path, std::string source, uint64_t limit,
                 ProgressReport &report);

    void begin(std::optional<uint64_t> total_bytes) override;
    void write(std::span<const std::byte> bytes) override;
    void tick() override;

    /// After the last byte.
    std::string digest() { return sha256_.finish(); }
    uint64_t size() const { return received_; }
    OutputFile &output() { return output_; }

private:
    void check_size(uint64_t bytes) const;

    OutputFile output_;
    std::string source_;
    Sha256 sha256_;
    uint64_t limit_;
    uint64_t received_ = 0;
    std::optional<uint64_t> total_;
    ProgressReport &report_;
};

} // namespace tvw
