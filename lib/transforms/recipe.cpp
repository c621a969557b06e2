// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/recipe.h"

namespace tvw {
namespace {

struct Reader {
    Recipe recipe;

    void operator()(const ImageClassification &preset) {
        read_crop(preset);
        read_resize(preset.resize_size, preset);
        recipe.antialias = preset.antialias.value_or(false);
    }
    void operator()(const SemanticSegmentation &preset) {
        if (preset.resize_size)
            read_resize(*preset.resize_size, preset);
        recipe.normalization = make_normalization(recipe.preset, preset.mean, preset.std);
        recipe.antialias = preset.antialias.value_or(false);
    }
    void operator()(const VideoClassification &preset) {
        read_crop(preset);
        read_resize(preset.resize_size, preset);
    }
    void operator()(const ObjectDetection &) {
        recipe.normalization = make_normalization(recipe.preset, {0}, {1});
    }
    void operator()(const OpticalFlow &) {
        recipe.normalization = make_normalization(recipe.preset, {0.5}, {0.5});
    }

private:
    template<typename Preset>
    void read_crop(const Preset &preset) {
        check_sides(recipe.preset, "crop_size", preset.crop_size);
        recipe.crop = preset.crop_size;
    }
    template<typename Preset>
    void read_resize(const std::vector<int64_t> &size, const Preset &preset) {
        check_sides(recipe.preset, "resize_size", size);
        recipe.resize = size;
        recipe.interpolation = preset.interpolation;
        recipe.normalization = make_normalization(recipe.preset, preset.mean, preset.std);
    }
};

} // namespace

Recipe make_recipe(const Transforms &preset) {
    Reader reader;
    reader.recipe.preset = preset_name(preset);
    std::visit(reader, preset);
    return reader.recipe;
}

Placement place(const Recipe &recipe, Size src) {
    Placement result;
    result.resized = recipe.resize.empty() ? src : resized_size(src, recipe.resize);
    result.output =
        recipe.crop.empty() ? result.resized : Size{recipe.crop.front(), recipe.crop.back()};
    result.x = center_crop(result.resized.width, result.output.width);
    result.y = center_crop(result.resized.height, result.output.height);
    return result;
}

} // namespace tvw
