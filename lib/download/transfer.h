// SPDX-License-Identifier: LGPL-2.1-or-later
// The seam between core and libtvw-download, which alone knows libcurl.
#pragma once

#include <tvw/error.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace tvw::download {

struct Request {
    std::string url;            ///< https://
    std::chrono::seconds stall; ///< give up where less than 1 KiB/s arrives for so long
};

/// Takes what arrives. What its functions throw ends the transfer and is passed on.
class Sink {
public:
    virtual ~Sink() = default;

    /// Before the first byte: how many there will be, if the server says.
    virtual void begin(std::optional<uint64_t> total_bytes) = 0;
    virtual void write(std::span<const std::byte> bytes) = 0;
    /// About once a second or more often, also while nothing arrives.
    virtual void tick() = 0;
};

class Transfer {
public:
    virtual ~Transfer() = default;

    /// GETs a file; any number of threads may. Follows at most 5 redirects, to https:// only, and
    /// always verifies certificates. Environment: https_proxy, no_proxy, SSL_CERT_FILE,
    /// SSL_CERT_DIR. Answers why it failed, if it did: a reason without address; kNotFound (404,
    /// 410), kIo, kNotSupported.
    virtual std::optional<Error> get(const Request &request, Sink &sink) = 0;
};

/// The name of libtvw-download's one exported function, of type TransferEntry.
constexpr const char *kTransferEntry = "tvw_download_v1";
using TransferEntry = Transfer *();

} // namespace tvw::download
