// SPDX-License-Identifier: LGPL-2.1-or-later
// Weights as the program's JSON shows them.
#include "weights_json.h"

#include <nlohmann/json.hpp>

#include <type_traits>
#include <utility>

namespace tvw::cli {
namespace {

using Json = nlohmann::ordered_json;

template<typename T>
Json or_null(const std::optional<T> &value) {
    return value ? Json(*value) : Json(nullptr);
}

struct FieldsOf {
    Json operator()(const ImageClassification &preset) const {
        return {{"crop_size", preset.crop_size},
                {"resize_size", preset.resize_size},
                {"mean", preset.mean},
                {"std", preset.std},
                {"interpolation", interpolation_name(preset.interpolation)},
                {"antialias", or_null(preset.antialias)}};
    }
    Json operator()(const SemanticSegmentation &preset) const {
        return {{"resize_size", or_null(preset.resize_size)},
                {"mean", preset.mean},
                {"std", preset.std},
                {"interpolation", interpolation_name(preset.interpolation)},
                {"antialias", or_null(preset.antialias)}};
    }
    Json operator()(const VideoClassification &preset) const {
        return {{"crop_size", preset.crop_size},
                {"resize_size", preset.resize_size},
                {"mean", preset.mean},
                {"std", preset.std},
                {"interpolation", interpolation_name(preset.interpolation)}};
    }
    Json operator()(const ObjectDetection &) const { return Json::object(); }
    Json operator()(const OpticalFlow &) const { return Json::object(); }
};

Json argument_json(const ArgumentValue &value) {
    return std::visit(
        []<typename T>(const T &held) {
            if constexpr (std::is_same_v<T, std::monostate>)
                return Json(nullptr);
            else
                return Json(held);
        },
        value);
}

/// What only users' descriptors have.
void add_descriptor_keys(const Weights &weights, Json &json) {
    if (!weights.url().empty())
        return;
    if (weights.checkpoint())
        json["checkpoint"] = weights.checkpoint()->string();
    if (!weights.arguments().empty())
        json["arguments"] = arguments_json(weights.arguments());
    if (!weights.state_dict_key().empty())
        json["state_dict_key"] = weights.state_dict_key();
    if (!weights.strip_prefix().empty())
        json["strip_prefix"] = weights.strip_prefix();
}

} // namespace

Json preset_fields(const Transforms &transforms) {
    return std::visit(FieldsOf{}, transforms);
}

Json arguments_json(const Arguments &arguments) {
    Json json = Json::object();
    for (const auto &[name, value] : arguments)
        json[name] = argument_json(value);
    return json;
}

Json weights_json(const Weights &weights) {
    Json transforms{{"preset", preset_name(weights.transforms())},
                    {"repr", repr(weights.transforms())}};
    transforms.update(preset_fields(weights.transforms()));
    Json json{{"name", weights.name()},
              {"aliases", weights.aliases()},
              {"builder", weights.builder()},
              {"url", weights.url().empty() ? Json(nullptr) : Json(weights.url())}};
    add_descriptor_keys(weights, json);
    json["transforms"] = std::move(transforms);
    json["meta"] = Json::parse(weights.meta_json());
    return json;
}

} // namespace tvw::cli
