// SPDX-License-Identifier: LGPL-2.1-or-later
// The presets on LibTorch's tensors: the calls that torchvision's functional transforms make, in
// their order, so that results are equal to the bit.
#include "engine/execute.h"
#include "transforms/geometry.h"
#include "transforms/parameters.h"

#include <tvw/error.h>
#include <tvw/transforms.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <array>
#include <sstream>

namespace tvw {
namespace {

/// What a preset does, with its exceptions turned into ours.
at::Tensor run(const std::function<at::Tensor()> &steps) {
    at::Tensor result;
    guarded([&] { result = steps(); });
    return result;
}

std::string describe(const at::Tensor &image) {
    if (!image.defined())
        return "undefined";
    std::ostringstream text;
    text << c10::toString(image.scalar_type()) << " " << image.sizes();
    return text.str();
}

bool is_known(at::ScalarType type) {
    return type == at::kByte || at::isFloatingType(type);
}

void check_image(std::string_view preset, const at::Tensor &image) {
    const bool fits = image.defined() && is_known(image.scalar_type()) && image.dim() >= 3 &&
                      image.size(-3) == int64_t{kChannels} && image.size(-2) > 0 &&
                      image.size(-1) > 0;
    if (!fits)
        throw Error(ErrorKind::kInvalidArgument,
                    std::string(preset) + " takes uint8 or float [..., 3, H, W], got " +
                        describe(image) + ": give three channels before height and width");
}

Size size_of(const at::Tensor &image) {
    return {image.size(-2), image.size(-1)};
}

at::Tensor resample(const at::Tensor &image, Size size, InterpolationMode mode, bool antialias) {
    const std::array<int64_t, 2> sides{size.height, size.width};
    switch (mode) {
    case InterpolationMode::kNearest:
        return at::upsample_nearest2d(image, sides);
    case InterpolationMode::kBilinear:
        return (antialias ? at::_upsample_bilinear2d_aa(image, sides, /*align_corners=*/false)
                          : at::upsample_bilinear2d(image, sides, /*align_corners=*/false));
    case InterpolationMode::kBicubic:
        return (antialias ? at::_upsample_bicubic2d_aa(image, sides, /*align_corners=*/false)
                          : at::upsample_bicubic2d(image, sides, /*align_corners=*/false));
    }
    return image;
}

/// `image` as LibTorch's resampling takes it, [N, 3, H, W].
at::Tensor as_batch(const at::Tensor &image) {
    if (image.dim() == 3)
        return image.unsqueeze(0);
    return image.dim() == 4 ? image
                            : image.reshape({-1, image.size(-3), image.size(-2), image.size(-1)});
}

at::Tensor resize(const at::Tensor &image, const std::vector<int64_t> &resize_size,
                  InterpolationMode mode, bool antialias) {
    const Size size = resized_size(size_of(image), resize_size);
    if (size == size_of(image))
        return image;
    const at::ScalarType type = image.scalar_type();
    const bool cast = type != at::kFloat && type != at::kDouble;
    at::Tensor result = as_batch(image);
    result = resample(cast ? result.to(at::kFloat) : result, size, mode, antialias);
    if (type == at::kByte)
        result = (mode == InterpolationMode::kBicubic ? result.clamp(0, 255) : result).round();
    std::vector<int64_t> shape = image.sizes().vec();
    shape[shape.size() - 2] = size.height;
    shape[shape.size() - 1] = size.width;
    return result.to(type).reshape(shape);
}

/// Zeros where the image is smaller.
at::Tensor crop(const at::Tensor &image, const std::vector<int64_t> &crop_size) {
    const int64_t height = crop_size.front();
    const int64_t width = crop_size.back();
    const CropSpan y = center_crop(image.size(-2), height);
    const CropSpan x = center_crop(image.size(-1), width);
    at::Tensor kept = image.narrow(-2, y.first, y.count).narrow(-1, x.first, x.count);
    if (y.count == height && x.count == width)
        return kept;
    return at::constant_pad_nd(
        kept, {x.before, width - x.count - x.before, y.before, height - y.count - y.before});
}

/// float32 in [0, 1] from uint8; floats keep their values.
at::Tensor rescale(const at::Tensor &image) {
    const at::Tensor values = image.to(at::kFloat);
    return image.scalar_type() == at::kByte ? values.div(255.0) : values;
}

at::Tensor normalize(const at::Tensor &image, Normalization parameters) {
    const auto column = [&](std::array<float, kChannels> &values) {
        return at::from_blob(values.data(), {int64_t{kChannels}, 1, 1},
                             at::TensorOptions(at::kFloat))
            .to(image.device());
    };
    return image.clone().sub_(column(parameters.mean)).div_(column(parameters.std));
}

} // namespace

at::Tensor ImageClassification::operator()(const at::Tensor &image) const {
    constexpr const char *kName = "ImageClassification";
    check_sides(kName, "crop_size", crop_size);
    check_sides(kName, "resize_size", resize_size);
    const Normalization normalization = make_normalization(kName, mean, std);
    check_image(kName, image);
    return run([&] {
        const at::Tensor resized =
            resize(image, resize_size, interpolation, antialias.value_or(false));
        return normalize(rescale(crop(resized, crop_size)), normalization);
    });
}

at::Tensor SemanticSegmentation::operator()(const at::Tensor &image) const {
    constexpr const char *kName = "SemanticSegmentation";
    if (resize_size)
        check_sides(kName, "resize_size", *resize_size);
    const Normalization normalization = make_normalization(kName, mean, std);
    check_image(kName, image);
    return run([&] {
        const at::Tensor resized =
            resize_size ? resize(image, *resize_size, interpolation, antialias.value_or(false))
                        : image;
        return normalize(rescale(resized), normalization);
    });
}

at::Tensor VideoClassification::operator()(const at::Tensor &video) const {
    constexpr const char *kName = "VideoClassification";
    check_sides(kName, "crop_size", crop_size);
    check_sides(kName, "resize_size", resize_size);
    const Normalization normalization = make_normalization(kName, mean, std);
    check_image(kName, video);
    if (video.dim() != 4 && video.dim() != 5)
        throw Error(ErrorKind::kInvalidArgument,
                    std::string(kName) + " takes a clip, [T, 3, H, W], or a batch of them, got " +
                        describe(video));
    return run([&] {
        const at::Tensor resized = resize(video, resize_size, interpolation, false);
        return normalize(rescale(crop(resized, crop_size)), normalization).transpose(-4, -3);
    });
}

at::Tensor ObjectDetection::operator()(const at::Tensor &image) const {
    check_image("ObjectDetection", image);
    return run([&] { return rescale(image); });
}

std::pair<at::Tensor, at::Tensor> OpticalFlow::operator()(const at::Tensor &first,
                                                          const at::Tensor &second) const {
    const auto frame = [](const at::Tensor &image) {
        check_image("OpticalFlow", image);
        constexpr std::array<float, kChannels> kHalf{0.5F, 0.5F, 0.5F};
        return run([&] { return normalize(rescale(image), {kHalf, kHalf}).contiguous(); });
    };
    return {frame(first), frame(second)};
}

at::Tensor Transforms::operator()(const at::Tensor &image) const {
    const auto call = [&](const auto &preset) -> at::Tensor {
        if constexpr (requires { preset(image); })
            return preset(image);
        else
            throw Error(ErrorKind::kInvalidArgument,
                        std::string(preset_name(preset)) +
                            " takes two images: transforms(first, second)");
    };
    return std::visit(call, *this);
}

std::pair<at::Tensor, at::Tensor> Transforms::operator()(const at::Tensor &first,
                                                         const at::Tensor &second) const {
    const auto *preset = std::get_if<OpticalFlow>(this);
    if (preset == nullptr)
        throw Error(ErrorKind::kInvalidArgument,
                    std::string(preset_name(*this)) + " takes one image, got two");
    return (*preset)(first, second);
}

} // namespace tvw
