// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/recipe.h"

#include "transforms/source.h"

#include <tvw/error.h>

#include <string>

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

std::string size_text(const Size &size) {
    return std::to_string(size.width) + "×" + std::to_string(size.height);
}

Size output_of(const Recipe &recipe, const FrameInput &input) {
    make_source(input.frame); // tells of an empty frame first
    const Region area = area_of(input.frame, input.region);
    return place(recipe, {area.height, area.width}).output;
}

} // namespace

Recipe make_recipe(const Transforms &preset) {
    Reader reader;
    reader.recipe.preset = preset_name(preset);
    std::visit(reader, preset);
    return reader.recipe;
}

PicturePlacement place(const Recipe &recipe, Size src) {
    PicturePlacement result;
    result.resized = recipe.resize.empty() ? src : resized_size(src, recipe.resize);
    result.output =
        recipe.crop.empty() ? result.resized : Size{recipe.crop.front(), recipe.crop.back()};
    result.x = center_crop(result.resized.width, result.output.width);
    result.y = center_crop(result.resized.height, result.output.height);
    return result;
}

ResizeTables resize_tables(const Recipe &recipe, Size src, const PicturePlacement &placement) {
    const auto table = [&](int64_t from, int64_t to, const CropSpan &span) {
        return make_resample_table(recipe.interpolation, recipe.antialias, from, to, span.first,
                                   span.count);
    };
    return {table(src.width, placement.resized.width, placement.x),
            table(src.height, placement.resized.height, placement.y)};
}

Size batch_output(const Recipe &recipe, std::span<const FrameInput> frames) {
    if (frames.empty())
        throw Error(ErrorKind::kInvalidArgument, "a batch has at least one frame");
    const Size output = output_of(recipe, frames.front());
    for (const FrameInput &input : frames.subspan(1)) {
        if (const Size other = output_of(recipe, input); !(other == output))
            throw Error(ErrorKind::kInvalidArgument,
                        "images of a batch have one size, but the frames become " +
                            size_text(output) + " and " + size_text(other));
    }
    return output;
}

} // namespace tvw
