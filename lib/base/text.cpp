// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/text.h"

#include <tvw/error.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace tvw {
namespace {

class Descriptor {
public:
    // O_NONBLOCK: a pipe with no writer must not hang the caller.
    explicit Descriptor(const std::filesystem::path &path)
        : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~Descriptor() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;

    int get() const { return fd_; }

private:
    int fd_;
};

[[noreturn]] void fail(const std::filesystem::path &path, int code) {
    const bool missing = code == ENOENT || code == ENOTDIR;
    throw Error(missing ? ErrorKind::kNotFound : ErrorKind::kIo,
                path.string() + ": " + std::generic_category().message(code));
}

/// Bytes that the UTF-8 character at the front of `text` takes; 0 where it is not one.
size_t character_size(std::string_view text) {
    const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80)
        return 1;
    const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size)
        return 0;
    uint32_t code = lead & (0xffU >> (size + 1));
    for (size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte(i) & 0x3f);
    }
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return overlong || surrogate || code > 0x10ffff ? 0 : size;
}

/// Control characters of ASCII and of Latin-1 (U+0080 to U+009F).
bool is_control(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 2)
        return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
    return first < 0x20 || first == 0x7f;
}

/// Whether all of `text` is UTF-8 characters that `accept` takes.
template<typename Accept>
bool all_characters(std::string_view text, Accept accept) {
    while (!text.empty()) {
        const size_t size = character_size(text);
        if (size == 0 || !accept(text.substr(0, size)))
            return false;
        text.remove_prefix(size);
    }
    return true;
}

} // namespace

std::string read_text_file(const std::filesystem::path &path, size_t limit) {
    const Descriptor file(path);
    struct stat status = {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
        fail(path, errno);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorKind::kInvalidArgument, path.string() + " is not a regular file");
    std::string content;
    constexpr size_t kBlock = size_t{64} << 10;
    while (content.size() <= limit) {
        const size_t used = content.size();
        content.resize(used + std::min(kBlock, limit + 1 - used));
        const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
        if (got < 0 && errno != EINTR)
            fail(path, errno);
        content.resize(used + size_t(std::max<ssize_t>(got, 0)));
        if (got == 0)
            return content;
    }
    throw Error(ErrorKind::kInvalidArgument,
                path.string() + " is longer than the " + std::to_string(limit) + " bytes allowed");
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

bool is_utf8(std::string_view text) {
    return all_characters(text, [](std::string_view) { return true; });
}

bool is_printable(std::string_view text) {
    return all_characters(text, [](std::string_view character) { return !is_control(character); });
}

std::string shown(std::string_view text) {
    constexpr size_t kLongest = 80;
    std::string result;
    while (!text.empty() && result.size() < kLongest) {
        const size_t size = std::max<size_t>(character_size(text), 1);
        const std::string_view character = text.substr(0, size);
        if (is_printable(character))
            result += character;
        else
            for (const char byte : character)
                result += fmt::format("\\x{:02x}", uint8_t(byte));
        text.remove_prefix(size);
    }
    return result + (text.empty() ? "" : "…");
}

std::string in_quotes(std::string_view text) {
    std::string result = "'";
    result += shown(text);
    return result += '\'';
}

} // namespace tvw
