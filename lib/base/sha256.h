// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace tvw {

/// SHA-256 of a stream of bytes (OpenSSL).
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256 &) = delete;
    Sha256 &operator=(const Sha256 &) = delete;

    void update(std::span<const std::byte> bytes);
    /// 64 lower-case hex digits; ends the stream.
    std::string finish();

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

} // namespace tvw
