// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/error.h>

#include <nlohmann/json.hpp>

#include <string>

namespace tvw::cli {

/// One line that is valid UTF-8 whatever bytes a file's name or an argument held.
inline std::string dump(const nlohmann::ordered_json &json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// What went wrong with one of several things.
inline nlohmann::ordered_json error_json(const Error &error) {
    return {{"kind", error_kind_name(error.kind())}, {"message", error.what()}};
}

} // namespace tvw::cli
