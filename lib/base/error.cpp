// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/error.h>

namespace tvw {

std::string_view error_kind_name(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::kInvalidArgument:
        return "invalid_argument";
    case ErrorKind::kNotFound:
        return "not_found";
    case ErrorKind::kNotSupported:
        return "not_supported";
    case ErrorKind::kCorruptFile:
        return "corrupt_file";
    case ErrorKind::kMismatch:
        return "mismatch";
    case ErrorKind::kIo:
        return "io";
    case ErrorKind::kInternal:
        return "internal";
    }
    return "internal";
}

Error::Error(ErrorKind kind, const std::string &message, std::optional<uint64_t> offset)
    : std::runtime_error(message), kind_(kind), offset_(offset) {}

// Defined here so that the type's run-time information exists once, in this library.
Error::~Error() = default;

} // namespace tvw
