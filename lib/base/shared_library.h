// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>

#include <string>

namespace tvw {

/// The address of `symbol` in our library "lib<name>.so": the one beside libtvw-core if there is
/// one, else wherever the loader finds it. It stays loaded for the life of the process.
/// Error(kNotSupported) names the library and the loader's reason.
TVW_API void *open_library(const std::string &name, const char *symbol);

} // namespace tvw
