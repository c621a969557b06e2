// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/frame.h>
#include <tvw/transforms.h>
#include <tvw/weights.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tvw {

/// What a Classifier is made from.
struct ClassifierConfig {
    std::string weights;                             ///< as `find_weights` takes it
    std::optional<std::filesystem::path> checkpoint; ///< instead of the weights' own file
    std::string device = "auto";                     ///< as parse_device() takes it
    std::string precision = "fp32";                  ///< as parse_precision() takes it
    int threads = 0;                                 ///< 0: one per CPU this process may use
    PreprocessMode preprocess = PreprocessMode::kExact;
};

/// One class and how sure the model is of it.
struct Prediction {
    int class_id = 0;
    std::string label; ///< "" where the checkpoint has no categories
    double probability = 0;
};

/// One classified frame or picture, as JSON lines, metadata and messages carry it.
struct Classification {
    std::string source;             ///< file name, or the element's name
    std::optional<uint64_t> pts_ns; ///< none for a picture
    std::string weights;
    std::string digest;
    std::vector<Prediction> predictions;
};

/// One line of JSON without the line feed; docs/results.md describes the schema.
TVW_API std::string to_json(const Classification &classification);

/// Frames in, predictions out: the checkpoint's own preprocessing, the model, softmax, labels.
/// One thread at a time; make one per stream, equal ones share their weights.
class TVW_API Classifier {
public:
    /// Reads the checkpoint and builds the model (seconds); throws Error as its parts do.
    explicit Classifier(const ClassifierConfig &config);
    ~Classifier();
    Classifier(Classifier &&) noexcept;
    Classifier &operator=(Classifier &&) noexcept;

    const Weights &weights() const;
    /// SHA-256 of the checkpoint in use.
    const std::string &digest() const;

    /// The index of the GPU where it runs, in whose memory frames may lie as well; none: the CPU.
    std::optional<int> gpu() const;

    /// The `top_k` most probable classes with at least `threshold`, best first.
    /// Error(kMismatch) if the model answers NaN or infinity.
    std::vector<Prediction> classify(const FrameView &frame, int top_k = 5, double threshold = 0,
                                     std::optional<Region> region = {});
    /// The same over earlier predictions: on the CPU nothing is allocated for further frames of
    /// one size.
    void classify(const FrameInput &input, int top_k, double threshold,
                  std::vector<Prediction> &predictions);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tvw
