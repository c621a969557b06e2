// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/classifier.h>

#include <nlohmann/json.hpp>

namespace tvw {

std::string to_json(const Classification &classification) {
    using Json = nlohmann::ordered_json;
    Json predictions = Json::array();
    for (const Prediction &prediction : classification.predictions)
        predictions.push_back({{"class_id", prediction.class_id},
                               {"label", prediction.label},
                               {"probability", prediction.probability}});
    const Json pts = classification.pts_ns ? Json(*classification.pts_ns) : Json(nullptr);
    const Json digest = classification.digest.empty() ? Json(nullptr) : Json(classification.digest);
    const Json line{{"source", classification.source},
                    {"pts_ns", pts},
                    {"weights", classification.weights},
                    {"digest", digest},
                    {"predictions", std::move(predictions)}};
    // A file's name may be any bytes; what is no UTF-8 is replaced rather than refused.
    return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace tvw
