// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/text.h"

#include <filesystem>
#include <string>

namespace tvw {

/// A path for a message: never shortened, since it says which file, unless it is not printable.
inline std::string path_in_quotes(const std::filesystem::path &path) {
    return is_printable(path.native()) ? '\'' + path.native() + '\'' : in_quotes(path.native());
}

} // namespace tvw
