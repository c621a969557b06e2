// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "fuzz/random.h"

#include <span>
#include <string>
#include <string_view>

namespace tvw::fuzz {

/// Changes a JSON text by whole tokens, most often such that it still is JSON. `words` are tokens
/// that belong into it, strings with their quotes.
std::string mutate_json(const std::string &text, std::span<const std::string_view> words,
                        Random &random);

} // namespace tvw::fuzz
