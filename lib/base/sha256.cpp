// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/sha256.h"

#include <tvw/error.h>

#include <openssl/evp.h>

#include <array>

namespace tvw {

struct Sha256::Context {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> md{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
    if (!context_->md || EVP_DigestInit_ex(context_->md.get(), EVP_sha256(), nullptr) != 1)
        throw Error(ErrorKind::kInternal, "OpenSSL offers no SHA-256");
}

Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
    if (EVP_DigestUpdate(context_->md.get(), bytes.data(), bytes.size()) != 1)
        throw Error(ErrorKind::kInternal, "OpenSSL's SHA-256 failed");
}

std::string Sha256::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context_->md.get(), digest.data(), &size) != 1)
        throw Error(ErrorKind::kInternal, "OpenSSL's SHA-256 failed");
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex += kDigits[digest[i] >> 4];
        hex += kDigits[digest[i] & 15];
    }
    return hex;
}

} // namespace tvw
