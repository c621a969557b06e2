// SPDX-License-Identifier: LGPL-2.1-or-later
// The files of data/ inside the library, made by embed.py.
#pragma once

#include <span>
#include <string_view>

namespace tvw {

struct EmbeddedFile {
    std::string_view path; ///< within data/: "weights/resnet.json"
    std::string_view content;
};

/// Sorted by path.
std::span<const EmbeddedFile> embedded_files();

} // namespace tvw
