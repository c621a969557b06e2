// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets a test ask the registry.
#include "support/answer_lines.h"

#include <tvw/weights.h>

#include <sstream>

namespace {

using tvw::test::Json;

Json names(const tvw::WeightsEnum &weights) {
    std::ostringstream printed;
    printed << weights;
    Json members = Json::array();
    for (const tvw::Weights &member : weights) {
        std::ostringstream name;
        name << member;
        members.push_back(name.str());
    }
    return {printed.str(), weights.size(), members};
}

Json get_weight(const Json &arguments) {
    return tvw::get_weight(arguments.at(0).get<std::string>()).name();
}

Json get_model_weights(const Json &arguments) {
    return names(tvw::get_model_weights(arguments.at(0).get<std::string>()));
}

/// module or null, include, exclude
Json list_models(const Json &arguments) {
    const auto include = arguments.at(1).get<std::vector<std::string>>();
    const auto exclude = arguments.at(2).get<std::vector<std::string>>();
    if (arguments.at(0).is_null())
        return tvw::list_models({}, include, exclude);
    return tvw::list_models(arguments.at(0).get<std::string>(), include, exclude);
}

/// builder, what it is given as weights: a string, or ["a member's full name"]
Json verify(const Json &arguments) {
    const tvw::WeightsEnum &weights = tvw::get_model_weights(arguments.at(0).get<std::string>());
    const Json &given = arguments.at(1);
    if (given.is_string())
        return weights.verify(given.get<std::string>()).name();
    return weights.verify(tvw::get_weight(given.at(0).get<std::string>())).name();
}

/// weights, then "name=value"...: null if a builder may be called so
Json builder_arguments(const Json &arguments) {
    tvw::Arguments given;
    for (size_t i = 1; i < arguments.size(); ++i)
        given.insert(tvw::parse_argument(arguments.at(i).get<std::string>()));
    tvw::builder_arguments(tvw::get_weight(arguments.at(0).get<std::string>()), given);
    return nullptr;
}

} // namespace

int main() {
    tvw::test::answer_lines({
        {"get_weight", get_weight},
        {"get_model_weights", get_model_weights},
        {"list_models", list_models},
        {"verify", verify},
        {"builder_arguments", builder_arguments},
    });
    return 0;
}
