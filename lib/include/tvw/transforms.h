// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/frame.h>
#include <tvw/tensor.h>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace at {
class Tensor;
} // namespace at

/// The presets of torchvision.transforms._presets: parameters, printed form, and the computation:
/// on LibTorch's tensors (these calls need libtvw; include ATen before using them), and on frames
/// in host memory.
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

    /// uint8 or float [..., 3, H, W] to float32 [..., 3, crop_height, crop_width].
    TVW_API at::Tensor operator()(const at::Tensor &image) const;
    bool operator==(const ImageClassification &) const = default;
};

/// Resize (if asked for), rescale, normalise.
struct SemanticSegmentation {
    std::optional<std::vector<int64_t>> resize_size;
    std::vector<double> mean = {0.485, 0.456, 0.406};
    std::vector<double> std = {0.229, 0.224, 0.225};
    InterpolationMode interpolation = InterpolationMode::kBilinear;
    std::optional<bool> antialias = true;

    /// uint8 or float [..., 3, H, W] to float32 [..., 3, height, width].
    TVW_API at::Tensor operator()(const at::Tensor &image) const;
    bool operator==(const SemanticSegmentation &) const = default;
};

/// Resize, centre crop, rescale, normalise every frame of a clip.
struct VideoClassification {
    std::vector<int64_t> crop_size;
    std::vector<int64_t> resize_size;
    std::vector<double> mean = {0.43216, 0.394666, 0.37645};
    std::vector<double> std = {0.22803, 0.22145, 0.216989};
    InterpolationMode interpolation = InterpolationMode::kBilinear;

    /// uint8 or float [T, 3, H, W] or [N, T, 3, H, W], to float32 with the channels before the
    /// frames: [3, T, crop_height, crop_width] or [N, 3, T, crop_height, crop_width].
    TVW_API at::Tensor operator()(const at::Tensor &video) const;
    bool operator==(const VideoClassification &) const = default;
};

/// Rescale to [0, 1]; detectors resize and normalise inside the model.
struct ObjectDetection {
    /// uint8 or float [..., 3, H, W] to float32 of the same shape.
    TVW_API at::Tensor operator()(const at::Tensor &image) const;
    bool operator==(const ObjectDetection &) const = default;
};

/// Normalise a pair of frames to [-1, 1].
struct OpticalFlow {
    /// Two uint8 or float [..., 3, H, W] of one shape, to float32.
    TVW_API std::pair<at::Tensor, at::Tensor> operator()(const at::Tensor &first,
                                                         const at::Tensor &second) const;
    bool operator==(const OpticalFlow &) const = default;
};

/// Any of the presets; std::get_if and std::visit take it as the variant that it is.
class Transforms : public std::variant<ImageClassification, SemanticSegmentation,
                                       VideoClassification, ObjectDetection, OpticalFlow> {
public:
    using variant::variant;

    /// The preset's own call. Error(kInvalidArgument) for OpticalFlow, which takes two tensors.
    TVW_API at::Tensor operator()(const at::Tensor &image) const;
    TVW_API std::pair<at::Tensor, at::Tensor> operator()(const at::Tensor &first,
                                                         const at::Tensor &second) const;
};

/// What a preset's constructor is given instead of the checkpoint's own parameters; what is empty
/// stays. `weights.transforms({.crop_size = {320}})` is Python's
/// `weights.transforms(crop_size=320)`.
struct TransformsOverride {
    std::vector<int64_t> crop_size = {}; ///< the short side, or height and width
    std::vector<int64_t> resize_size = {};
    std::vector<double> mean = {};
    std::vector<double> std = {};
    std::optional<InterpolationMode> interpolation = {};
    std::optional<bool> antialias = {};
};

/// Error(kInvalidArgument) names a parameter that the preset does not have.
TVW_API Transforms override_transforms(const Transforms &transforms,
                                       const TransformsOverride &parameters);

/// "ImageClassification", …
TVW_API std::string_view preset_name(const Transforms &transforms);
/// The text that Python's print() shows for the preset.
TVW_API std::string repr(const Transforms &transforms);
/// Prints `repr`.
TVW_API std::ostream &operator<<(std::ostream &out, const Transforms &transforms);

/// How exactly frames are resized on the CPU; GPUs are always exact.
enum class PreprocessMode {
    /// Every pixel that is needed becomes RGB (as tvw/frame.h says) and is then treated as by
    /// torchvision.
    kExact,
    /// The same in another order: where a frame becomes 2.5 times lower or more, its rows are
    /// resized vertically first and in fixed point, and 8-bit 4:2:0 and 4:2:2 becomes RGB with
    /// coefficients of 16 bits on the way. A level is one off where the exact value is next to a
    /// half; of random crops of photographs EfficientNet-Lite0 gives up to 0.5 % another label.
    kFast,
};
/// "exact", "fast".
TVW_API std::string_view preprocess_mode_name(PreprocessMode mode);
/// Error(kInvalidArgument) lists them.
TVW_API PreprocessMode parse_preprocess_mode(std::string_view name);

/// Frames to a model's input; holds the resampling tables of the last frame size.
/// Follows torchvision's tensor path to the bit where float32 allows it, rounding to 8 bits
/// after the resize included. One thread at a time.
class TVW_API Preprocessor {
public:
    /// Error(kInvalidArgument) on parameters that torchvision would refuse.
    explicit Preprocessor(const Transforms &preset, PreprocessMode mode = PreprocessMode::kExact);
    ~Preprocessor();
    Preprocessor(Preprocessor &&) noexcept;
    Preprocessor &operator=(Preprocessor &&) noexcept;

    /// [3, height, width] of what one frame, or a region, of this size becomes. Of a pair for
    /// OpticalFlow each frame is one of its own; a clip has `run_clip`.
    Shape output_shape(int width, int height) const;
    /// The same for presets with a crop, whose results have one size.
    /// Error(kInvalidArgument) for the others.
    Shape output_shape() const;

    /// Writes the normalised image, planar RGB, into `dst` (numel(output_shape(…)) floats).
    /// `region` restricts the frame as cropping its RGB beforehand would.
    /// Errors: kInvalidArgument for a frame that cannot be read, a region outside it, or a
    /// destination of another size.
    void run(const FrameView &src, std::span<float> dst, std::optional<Region> region = {});

    /// The same of rows [height · part / parts, height · (part + 1) / parts) of the image alone:
    /// for threads that share a frame, with a Preprocessor each. The other rows of `dst` stay as
    /// they are, and those written are the same bits as run's in PreprocessMode::kExact.
    void run_part(const FrameView &src, std::span<float> dst, std::optional<Region> region,
                  int part, int parts);

    /// Frames of one size to a clip with the channels before the frames, [3, T, height, width].
    void run_clip(std::span<const FrameView> frames, std::span<float> dst,
                  std::optional<Region> region = {});

    /// The 8-bit stage before rescaling, planar RGB of the same shape as run's: what torchvision
    /// holds after its resize and centre crop.
    void run_uint8(const FrameView &src, std::span<uint8_t> dst, std::optional<Region> region = {});

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tvw
