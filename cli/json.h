// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace tvw::cli {

/// One line that is valid UTF-8 whatever bytes a file's name or an argument held.
inline std::string dump(const nlohmann::ordered_json &json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace tvw::cli
