// SPDX-License-Identifier: LGPL-2.1-or-later
// libtvw-download: one file over HTTPS with libcurl.
#include "download/transfer.h"

#include <tvw/export.h>

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>

namespace tvw::download {
namespace {

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using ErrorText = std::array<char, CURL_ERROR_SIZE>;

/// What the callbacks share. Exceptions must not pass through libcurl's frames.
struct Call {
    CURL *curl;
    Sink &sink;
    bool begun = false;
    std::exception_ptr thrown = nullptr;
};

template<typename Function>
bool guarded(Call &call, Function function) {
    try {
        function();
    } catch (...) {
        call.thrown = std::current_exception();
    }
    return !call.thrown;
}

std::optional<uint64_t> announced_bytes(CURL *curl) {
    curl_off_t bytes = -1;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &bytes);
    return bytes >= 0 ? std::optional(uint64_t(bytes)) : std::nullopt;
}

size_t on_body(char *data, size_t, size_t size, void *user) {
    auto &call = *static_cast<Call *>(user);
    const bool taken = guarded(call, [&] {
        if (!std::exchange(call.begun, true))
            call.sink.begin(announced_bytes(call.curl));
        call.sink.write(std::as_bytes(std::span(data, size)));
    });
    return taken ? size : CURL_WRITEFUNC_ERROR;
}

int on_progress(void *user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto &call = *static_cast<Call *>(user);
    return guarded(call, [&call] { call.sink.tick(); }) ? 0 : 1;
}

/// A libcurl without one of these options would do less than the interface promises.
template<typename Value>
void set(CURL *curl, CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(curl, option, value); code != CURLE_OK) {
        throw Error(ErrorKind::kNotSupported,
                    std::string("this libcurl lacks an option: ") + curl_easy_strerror(code));
    }
}

void choose_authorities(CURL *curl) {
    if (const char *file = std::getenv("SSL_CERT_FILE"); file != nullptr && *file != '\0') {
        set(curl, CURLOPT_CAINFO, file);
        set(curl, CURLOPT_PROXY_CAINFO, file);
    }
    if (const char *folder = std::getenv("SSL_CERT_DIR"); folder != nullptr && *folder != '\0') {
        set(curl, CURLOPT_CAPATH, folder);
        set(curl, CURLOPT_PROXY_CAPATH, folder);
    }
}

void configure(const Request &request, Call &call, ErrorText &error_text) {
    constexpr long kSlowestRate = 1024;
    constexpr long kMostRedirects = 5;
    constexpr long kBufferBytes = 1 << 18;
    CURL *curl = call.curl;
    const long stall = std::max(1L, long(request.stall.count()));
    set(curl, CURLOPT_ERRORBUFFER, error_text.data());
    set(curl, CURLOPT_NOSIGNAL, 1L);
    set(curl, CURLOPT_URL, request.url.c_str());
    set(curl, CURLOPT_USERAGENT, "tvw/" TVW_VERSION);
    set(curl, CURLOPT_PROTOCOLS_STR, "https");
    set(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    set(curl, CURLOPT_FOLLOWLOCATION, 1L);
    set(curl, CURLOPT_MAXREDIRS, kMostRedirects);
    set(curl, CURLOPT_FAILONERROR, 1L);
    set(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    choose_authorities(curl);
    // One file over one connection gains nothing from multiplexing.
    set(curl, CURLOPT_HTTP_VERSION, long(CURL_HTTP_VERSION_1_1));
    set(curl, CURLOPT_BUFFERSIZE, kBufferBytes);
    set(curl, CURLOPT_CONNECTTIMEOUT, stall);
    set(curl, CURLOPT_LOW_SPEED_LIMIT, kSlowestRate);
    set(curl, CURLOPT_LOW_SPEED_TIME, stall);
    set(curl, CURLOPT_WRITEFUNCTION, &on_body);
    set(curl, CURLOPT_WRITEDATA, &call);
    set(curl, CURLOPT_NOPROGRESS, 0L);
    set(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(curl, CURLOPT_XFERINFODATA, &call);
}

Error failure(CURL *curl, CURLcode code, const ErrorText &error_text) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_HTTP_RETURNED_ERROR) {
        return {status == 404 || status == 410 ? ErrorKind::kNotFound : ErrorKind::kIo,
                "the server answered " + std::to_string(status)};
    }
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return {ErrorKind::kIo, "the server redirects to an address that is not https://"};
    std::string reason = error_text[0] != '\0' ? error_text.data() : curl_easy_strerror(code);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        reason += "; SSL_CERT_FILE can name a file with further authorities";
    return {ErrorKind::kIo, reason};
}

class CurlTransfer : public Transfer {
public:
    CurlTransfer() : ready_(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {}

    std::optional<Error> get(const Request &request, Sink &sink) override {
        const Handle curl(ready_ ? curl_easy_init() : nullptr, curl_easy_cleanup);
        if (!curl)
            return Error(ErrorKind::kNotSupported, "libcurl does not start");
        Call call{curl.get(), sink};
        ErrorText error_text{};
        configure(request, call, error_text);
        const CURLcode code = curl_easy_perform(curl.get());
        if (call.thrown)
            std::rethrow_exception(call.thrown);
        if (code == CURLE_OK)
            return std::nullopt;
        return failure(curl.get(), code, error_text);
    }

private:
    bool ready_;
};

} // namespace
} // namespace tvw::download

extern "C" TVW_API tvw::download::Transfer *tvw_download_v1() {
    static tvw::download::CurlTransfer transfer;
    return &transfer;
}
