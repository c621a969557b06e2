// SPDX-License-Identifier: LGPL-2.1-or-later
// For programs that let a test make thousands of calls in one process.
#pragma once

#include <tvw/error.h>

#include <nlohmann/json.hpp>

#include <iostream>
#include <map>
#include <string>

namespace tvw::test {

using Json = nlohmann::ordered_json;
using Calls = std::map<std::string, Json (*)(const Json &arguments)>;

/// Reads a JSON array a line, a call's name and its arguments, and answers each with a line of
/// JSON: the result, or {"error": message, "kind": …} where the call throws.
inline void answer_lines(const Calls &calls) {
    const auto answer = [&](Json question) -> Json {
        const auto name = question.at(0).get<std::string>();
        question.erase(0);
        try {
            return calls.at(name)(question);
        } catch (const Error &error) {
            return {{"error", error.what()}, {"kind", error_kind_name(error.kind())}};
        }
    };
    for (std::string line; std::getline(std::cin, line);)
        std::cout << answer(Json::parse(line)).dump() << std::endl;
}

} // namespace tvw::test
