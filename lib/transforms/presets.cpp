// SPDX-License-Identifier: LGPL-2.1-or-later
// Names and printed form of the presets, as Python prints them.
#include <tvw/error.h>
#include <tvw/transforms.h>

#include "base/python_text.h"

#include <ostream>

namespace tvw {
namespace {

// Else the one below would hide the others.
using tvw::python_repr;

std::string python_repr(InterpolationMode mode) {
    std::string name(interpolation_name(mode));
    for (char &c : name)
        c = char(c - 'a' + 'A');
    return "InterpolationMode." + name;
}

template<typename T>
std::string line(const char *name, const T &value) {
    return std::string("\n    ") + name + "=" + python_repr(value);
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

std::string_view preprocess_mode_name(PreprocessMode mode) {
    return mode == PreprocessMode::kFast ? "fast" : "exact";
}

PreprocessMode parse_preprocess_mode(std::string_view name) {
    for (const PreprocessMode mode : {PreprocessMode::kExact, PreprocessMode::kFast}) {
        if (name == preprocess_mode_name(mode))
            return mode;
    }
    throw Error(ErrorKind::kInvalidArgument,
                "preprocessing is exact or fast, not \"" + std::string(name) + "\"");
}

std::string_view preset_name(const Transforms &transforms) {
    return std::visit(Name{}, transforms);
}

std::string repr(const Transforms &transforms) {
    return std::string(preset_name(transforms)) + "(" + std::visit(Printer{}, transforms) + ")";
}

std::ostream &operator<<(std::ostream &out, const Transforms &transforms) {
    return out << repr(transforms);
}

} // namespace tvw
