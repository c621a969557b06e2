// SPDX-License-Identifier: LGPL-2.1-or-later
// Names and printed form of the presets, as Python prints them.
#include <tvw/transforms.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace tvw {
namespace {

template<typename Number, typename... Format>
std::string shortest(Number value, Format... format) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format...);
    return {buffer.data(), end.ptr};
}

std::string python(int64_t value) {
    return shortest(value);
}

/// repr(float): the fewest digits that read back the same, with an exponent only below 1e-4 and
/// from 1e16 on.
std::string python(double value) {
    constexpr double kSmallest = 1e-4;
    constexpr double kLargest = 1e16;
    const double magnitude = std::abs(value);
    const bool fixed = magnitude == 0 || (magnitude >= kSmallest && magnitude < kLargest);
    if (!fixed)
        return shortest(value, std::chars_format::scientific);
    const std::string text = shortest(value, std::chars_format::fixed);
    return text.find('.') == std::string::npos ? text + ".0" : text;
}

template<typename T>
std::string python(const std::vector<T> &values) {
    std::string text;
    for (const T value : values)
        text += (text.empty() ? "" : ", ") + python(value);
    return "[" + text + "]";
}

template<typename T>
std::string python(const std::optional<T> &value) {
    return value ? python(*value) : "None";
}

std::string python(InterpolationMode mode) {
    std::string name(interpolation_name(mode));
    for (char &c : name)
        c = char(c - 'a' + 'A');
    return "InterpolationMode." + name;
}

template<typename T>
std::string line(const char *name, const T &value) {
    return std::string("\n    ") + name + "=" + python(value);
}

/// What the three presets with a resize have in common.
template<typename Preset>
std::string last_lines(const Preset &preset) {
    return line("resize_size", preset.resize_size) + line("mean", preset.mean) +
           line("std", preset.std) + line("interpolation", preset.interpolation) + "\n";
}

struct Printer {
    std::string operator()(const ImageClassification &preset) const {
        return line("crop_size", preset.crop_size) + last_lines(preset);
    }
    std::string operator()(const SemanticSegmentation &preset) const { return last_lines(preset); }
    std::string operator()(const VideoClassification &preset) const {
        return line("crop_size", preset.crop_size) + last_lines(preset);
    }
    std::string operator()(const ObjectDetection &) const { return ""; }
    std::string operator()(const OpticalFlow &) const { return ""; }
};

struct Name {
    std::string_view operator()(const ImageClassification &) const { return "ImageClassification"; }
    std::string_view operator()(const SemanticSegmentation &) const {
        return "SemanticSegmentation";
    }
    std::string_view operator()(const VideoClassification &) const { return "VideoClassification"; }
    std::string_view operator()(const ObjectDetection &) const { return "ObjectDetection"; }
    std::string_view operator()(const OpticalFlow &) const { return "OpticalFlow"; }
};

} // namespace

std::string_view interpolation_name(InterpolationMode mode) {
    switch (mode) {
    case InterpolationMode::kNearest:
        return "nearest";
    case InterpolationMode::kBilinear:
        return "bilinear";
    case InterpolationMode::kBicubic:
        return "bicubic";
    }
    return "";
}

std::string_view preset_name(const Transforms &transforms) {
    return std::visit(Name{}, transforms);
}

std::string repr(const Transforms &transforms) {
    return std::string(preset_name(transforms)) + "(" + std::visit(Printer{}, transforms) + ")";
}

} // namespace tvw
