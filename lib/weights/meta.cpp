// SPDX-License-Identifier: LGPL-2.1-or-later
// A checkpoint's metadata from JSON.
#include "weights/entry.h"

#include <limits>
#include <utility>

namespace tvw {
namespace {

constexpr int64_t kAny = std::numeric_limits<int64_t>::max();

std::optional<std::string> optional_text(Fields &fields, std::string_view key) {
    return fields.has(key) ? std::optional(fields.text(key)) : std::nullopt;
}

std::optional<double> optional_number(Fields &fields, std::string_view key) {
    return fields.has(key) ? std::optional(fields.number(key)) : std::nullopt;
}

std::optional<int64_t> optional_count(Fields &fields, std::string_view key) {
    return fields.has(key) ? std::optional(fields.integer(key, 0, kAny)) : std::nullopt;
}

std::pair<int64_t, int64_t> height_and_width(Fields &fields, std::string_view key) {
    const Json &list = fields.array(key);
    if (list.size() != 2)
        fields.fail(key, "must be [height, width]");
    const auto height = as_integer(list[0], 1, kAny);
    const auto width = as_integer(list[1], 1, kAny);
    if (!height || !width)
        fields.fail(key, "must hold two positive integers");
    return {*height, *width};
}

/// {"dataset": {"metric": number}}; null stands for NaN, which JSON does not know.
std::map<std::string, std::map<std::string, double>> metrics(Fields fields) {
    std::map<std::string, std::map<std::string, double>> result;
    for (const auto &group : fields.json().items()) {
        Fields values = fields.object(group.key());
        for (const auto &item : values.json().items())
            result[group.key()][item.key()] = item.value().is_null()
                                                  ? std::numeric_limits<double>::quiet_NaN()
                                                  : values.number(item.key());
    }
    return result;
}

} // namespace

Meta parse_meta(Fields fields) {
    Meta meta;
    if (fields.has("categories") && !fields.get("categories").is_null())
        fields.fail("categories", "must be null here: the list stands beside 'meta'");
    meta.num_params = optional_count(fields, "num_params");
    if (fields.has("min_size"))
        meta.min_size = height_and_width(fields, "min_size");
    meta.recipe = optional_text(fields, "recipe");
    meta.docs = optional_text(fields, "_docs");
    if (fields.has("_metrics"))
        meta.metrics = metrics(fields.object("_metrics"));
    meta.ops = optional_number(fields, "_ops");
    meta.file_size = optional_number(fields, "_file_size");
    meta.backend = optional_text(fields, "backend");
    meta.unquantized = optional_text(fields, "unquantized");
    meta.license = optional_text(fields, "license");
    meta.min_temporal_size = optional_count(fields, "min_temporal_size");
    if (fields.has("keypoint_names"))
        meta.keypoint_names = fields.texts("keypoint_names");
    fields.finish();
    return meta;
}

} // namespace tvw
