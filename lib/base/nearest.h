// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>

#include <span>
#include <string>
#include <string_view>

namespace tvw {

/// " (did you mean 'x'?)" for the candidate with the smallest edit distance, or "" where none is
/// near. At most the first 64 characters count, so the cost is bounded for hostile names.
TVW_API std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

} // namespace tvw
