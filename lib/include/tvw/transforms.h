// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/frame.h>
#include <tvw/tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The presets of torchvision.transforms._presets: parameters, printed form, and (for
/// ImageClassification) the computation on a frame in host memory.
namespace tvw {

/// How pixels are resampled.
enum class InterpolationMode { kNearest, kBilinear, kBicubic };
/// "nearest", "bilinear", "bicubic": torchvision's values.
TVW_API std::string_view interpolation_name(InterpolationMode mode);

/// Resize, centre crop, rescale to [0, 1], normalise.
struct ImageClassification {
    std::vector<int64_t> crop_size;
    std::vector<int64_t> resize_size = {256};
    std::vector<double> mean = {0.485, 0.456, 0.406};
    std::vector<double> std = {0.229, 0.224, 0.225};
    InterpolationMode interpolation = InterpolationMode::kBilinear;
    std::optional<bool> antialias = true;

    bool operator==(const ImageClassification &) const = default;
};

/// Resize (if asked for), rescale, normalise.
struct SemanticSegmentation {
    std::optional<std::vector<int64_t>> resize_size;
    std::vector<double> mean = {0.485, 0.456, 0.406};
    std::vector<double> std = {0.229, 0.224, 0.225};
    InterpolationMode interpolation = InterpolationMode::kBilinear;
    std::optional<bool> antialias = true;

    bool operator==(const SemanticSegmentation &) const = default;
};

/// Resize, centre crop, rescale, normalise every frame of a clip.
struct VideoClassification {
    std::vector<int64_t> crop_size;
    std::vector<int64_t> resize_size;
    std::vector<double> mean = {0.43216, 0.394666, 0.37645};
    std::vector<double> std = {0.22803, 0.22145, 0.216989};
    InterpolationMode interpolation = InterpolationMode::kBilinear;

    bool operator==(const VideoClassification &) const = default;
};

/// Rescale to [0, 1]; detectors resize and normalise inside the model.
struct ObjectDetection {
    bool operator==(const ObjectDetection &) const = default;
};

/// Normalise a pair of frames to [-1, 1].
struct OpticalFlow {
    bool operator==(const OpticalFlow &) const = default;
};

/// Any of the presets.
using Transforms = std::variant<ImageClassification, SemanticSegmentation, VideoClassification,
                                ObjectDetection, OpticalFlow>;

/// "ImageClassification", …
TVW_API std::string_view preset_name(const Transforms &transforms);
/// The text that Python's print() shows for the preset.
TVW_API std::string repr(const Transforms &transforms);

/// Frames to one model input; holds the resampling tables of the last frame size.
/// Follows torchvision's tensor path to the bit where float32 allows it, rounding to 8 bits
/// after the resize included. One thread at a time.
class TVW_API Preprocessor {
public:
    /// Error(kInvalidArgument) on parameters that torchvision would refuse.
    explicit Preprocessor(ImageClassification preset);
    ~Preprocessor();
    Preprocessor(Preprocessor &&) noexcept;
    Preprocessor &operator=(Preprocessor &&) noexcept;

    /// [3, crop_height, crop_width]
    Shape output_shape() const;

    /// Writes the normalised image, planar RGB, into `dst` (numel(output_shape()) floats).
    /// `region` restricts the frame as cropping it beforehand would.
    /// Errors: kInvalidArgument for an empty frame or a region outside it.
    void run(const FrameView &src, std::span<float> dst, std::optional<Region> region = {});

    /// The 8-bit stage before rescaling, planar RGB [3, crop_height, crop_width]: what torchvision
    /// holds after its resize and centre crop.
    void run_uint8(const FrameView &src, std::span<uint8_t> dst, std::optional<Region> region = {});

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tvw
