// SPDX-License-Identifier: LGPL-2.1-or-later
// Presets from JSON; field names and defaults are torchvision's.
#include "base/nearest.h"
#include "weights/entry.h"

#include <tvw/error.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tvw {
namespace {

constexpr size_t kChannels = 3;

/// [size] for the short side, or [height, width]; a lone number means the first.
std::vector<int64_t> sizes(Fields &fields, std::string_view key) {
    constexpr int64_t kLargest = 16384;
    const Json &value = fields.get(key);
    const Json list = value.is_array() ? value : Json::array({value});
    std::vector<int64_t> result;
    for (const Json &item : list)
        result.push_back(as_integer(item, 1, kLargest).value_or(0));
    const bool zero = std::find(result.begin(), result.end(), 0) != result.end();
    if (zero || result.empty() || result.size() > 2)
        fields.fail(key, "must be a size from 1 to " + std::to_string(kLargest) +
                             ", or an array of one or two");
    return result;
}

/// One number for each of R, G and B.
std::vector<double> channels(Fields &fields, std::string_view key) {
    std::vector<double> result;
    for (const Json &item : fields.array(key))
        result.push_back(as_number(item).value_or(std::numeric_limits<double>::quiet_NaN()));
    for (const double value : result) {
        if (!std::isfinite(float(value)))
            fields.fail(key, "must hold numbers within the range of float32");
    }
    if (result.size() != kChannels)
        fields.fail(key, "must hold three numbers, for R, G and B");
    return result;
}

void read_normalisation(Fields &fields, std::vector<double> &mean, std::vector<double> &std) {
    if (fields.has("mean"))
        mean = channels(fields, "mean");
    if (fields.has("std"))
        std = channels(fields, "std");
    for (const double value : std) {
        if (float(value) == 0)
            fields.fail("std", "must not hold zero");
    }
}

void read_interpolation(Fields &fields, InterpolationMode &interpolation) {
    if (!fields.has("interpolation"))
        return;
    const std::string name = fields.text("interpolation");
    std::vector<std::string> names;
    for (const auto mode :
         {InterpolationMode::kNearest, InterpolationMode::kBilinear, InterpolationMode::kBicubic}) {
        names.emplace_back(interpolation_name(mode));
        if (name == names.back()) {
            interpolation = mode;
            return;
        }
    }
    fields.fail("interpolation",
                "must be nearest, bilinear or bicubic" + did_you_mean(name, names));
}

void read_antialias(Fields &fields, std::optional<bool> &antialias) {
    if (!fields.has("antialias"))
        return;
    const Json &value = fields.get("antialias");
    if (!value.is_boolean() && !value.is_null())
        fields.fail("antialias", "must be true, false or null");
    antialias = value.is_null() ? std::nullopt : std::optional(value.get<bool>());
}

void read(Fields &fields, ImageClassification &preset) {
    preset.crop_size = sizes(fields, "crop_size");
    if (fields.has("resize_size"))
        preset.resize_size = sizes(fields, "resize_size");
    read_normalisation(fields, preset.mean, preset.std);
    read_interpolation(fields, preset.interpolation);
    read_antialias(fields, preset.antialias);
}

void read(Fields &fields, SemanticSegmentation &preset) {
    if (!fields.get("resize_size").is_null())
        preset.resize_size = sizes(fields, "resize_size");
    read_normalisation(fields, preset.mean, preset.std);
    read_interpolation(fields, preset.interpolation);
    read_antialias(fields, preset.antialias);
}

void read(Fields &fields, VideoClassification &preset) {
    preset.crop_size = sizes(fields, "crop_size");
    if (preset.crop_size.size() != 2)
        fields.fail("crop_size", "must be [height, width]");
    preset.resize_size = sizes(fields, "resize_size");
    read_normalisation(fields, preset.mean, preset.std);
    read_interpolation(fields, preset.interpolation);
}

void read(Fields &, ObjectDetection &) {}
void read(Fields &, OpticalFlow &) {}

/// The preset of that name with its defaults.
Transforms preset_named(const Fields &fields, const std::string &name) {
    const Transforms presets[] = {ImageClassification{}, SemanticSegmentation{},
                                  VideoClassification{}, ObjectDetection{}, OpticalFlow{}};
    std::vector<std::string> names;
    for (const Transforms &preset : presets) {
        names.emplace_back(preset_name(preset));
        if (name == names.back())
            return preset;
    }
    fields.fail("preset", "is none of torchvision's presets" + did_you_mean(name, names));
}

} // namespace

Transforms parse_transforms(Fields fields) {
    Transforms transforms = preset_named(fields, fields.text("preset"));
    std::visit([&fields](auto &preset) { read(fields, preset); }, transforms);
    fields.finish();
    return transforms;
}

} // namespace tvw
