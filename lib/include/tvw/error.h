// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tvw {

/// What went wrong, coarse enough to act on.
enum class ErrorKind {
    kInvalidArgument, ///< a name, value or combination that cannot be meant
    kNotFound,        ///< a file, checkpoint, member or builder that is not there
    kNotSupported,    ///< known, but not available in this build or on this machine
    kCorruptFile,     ///< a file breaks its format; `Error::offset` says where, if known
    kMismatch,        ///< two valid things that do not fit together (checkpoint and model …)
    kIo,              ///< the operating system refused to read or write
    kInternal,        ///< a bug of ours
};

/// The kind as the `--json` output writes it: "invalid_argument", "not_found", …
TVW_API std::string_view error_kind_name(ErrorKind kind);

/// The one exception type of the library. The message says what, where and what to try, and never
/// needs more than two lines.
class TVW_API Error : public std::runtime_error {
public:
    Error(ErrorKind kind, const std::string &message, std::optional<uint64_t> offset = {});
    ~Error() override;

    ErrorKind kind() const { return kind_; }
    /// Byte offset in the file that the message names.
    std::optional<uint64_t> offset() const { return offset_; }

private:
    ErrorKind kind_;
    std::optional<uint64_t> offset_;
};

} // namespace tvw
