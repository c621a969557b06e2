// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/classifier.h>

#include "classifier/softmax.h"

#include <tvw/checkpoint.h>
#include <tvw/engine.h>
#include <tvw/error.h>
#include <tvw/hub.h>

#include <fmt/format.h>

#include <array>
#include <span>

namespace tvw {
namespace {

ImageClassification preset_of(const Weights &weights) {
    if (const auto *preset = std::get_if<ImageClassification>(&weights.transforms()))
        return *preset;
    throw Error(ErrorKind::kNotSupported,
                fmt::format("{} is made for {}, which no classifier runs", weights.name(),
                            preset_name(weights.transforms())));
}

std::shared_ptr<const Checkpoint> read_checkpoint(const Weights &weights,
                                                  const ClassifierConfig &config) {
    // A file that the user names takes the place of the registered one, so it need not equal it.
    return std::make_shared<const Checkpoint>(
        config.checkpoint
            ? load_checkpoint(*config.checkpoint, {.state_dict_key = weights.state_dict_key()})
            : load_verified(weights, find_checkpoint(weights)));
}

} // namespace

class Classifier::Impl {
public:
    explicit Impl(const ClassifierConfig &config);

    std::optional<int> gpu() const { return engine_->gpu(); }
    void classify(const FrameInput &input, int count, double threshold,
                  std::vector<Prediction> &predictions);

    Weights weights;
    std::string digest;

private:
    void check_categories();
    std::span<const float> logits() const { return outputs_.front().tensor.values<float>(); }

    std::unique_ptr<Engine> engine_;
    std::unique_ptr<FrameRunner> frames_;
    // Kept from frame to frame.
    std::vector<NamedTensor> outputs_;
    std::vector<double> probabilities_;
    std::vector<int> best_;
};

Classifier::Impl::Impl(const ClassifierConfig &config) : weights(find_weights(config.weights)) {
    const ImageClassification preset = preset_of(weights);
    EngineConfig engine = engine_config(weights);
    engine.device = parse_device(config.device);
    engine.precision = parse_precision(config.precision);
    engine.threads = config.threads;
    engine.checkpoint = read_checkpoint(weights, config);
    digest = engine.checkpoint->digest;
    // LibTorch is opened only now: a checkpoint that cannot be read never pays for it.
    engine_ = engine_library().create(engine);
    engine.checkpoint.reset(); // the engine has what it needs, and packs it with the first run
    frames_ = engine_->frame_runner(preset, config.preprocess);
    // The first run plans the model; better now than at the first frame.
    const std::array<uint8_t, 3> black{};
    FrameInput pixel;
    pixel.frame.width = pixel.frame.height = 1;
    pixel.frame.planes[0] = {black.data(), std::ssize(black)};
    frames_->run({&pixel, 1}, outputs_);
    check_categories();
}

void Classifier::Impl::check_categories() {
    const auto &categories = weights.meta().categories;
    if (categories && logits().size() != categories->size())
        throw Error(ErrorKind::kMismatch,
                    fmt::format("{} names {} categories, {} answers {}", weights.name(),
                                categories->size(), weights.builder(), logits().size()));
}

void Classifier::Impl::classify(const FrameInput &input, int count, double threshold,
                                std::vector<Prediction> &predictions) {
    frames_->run({&input, 1}, outputs_);
    softmax(logits(), probabilities_);
    top_k(probabilities_, count, threshold, best_);
    const auto &categories = weights.meta().categories;
    predictions.resize(best_.size());
    for (size_t i = 0; i < best_.size(); ++i) {
        const auto id = size_t(best_[i]);
        Prediction &prediction = predictions[i];
        prediction.class_id = best_[i];
        if (categories)
            prediction.label = (*categories)[id];
        else
            prediction.label.clear();
        prediction.probability = probabilities_[id];
    }
}

Classifier::Classifier(const ClassifierConfig &config) : impl_(std::make_unique<Impl>(config)) {}
Classifier::~Classifier() = default;
Classifier::Classifier(Classifier &&) noexcept = default;
Classifier &Classifier::operator=(Classifier &&) noexcept = default;

const Weights &Classifier::weights() const {
    return impl_->weights;
}
const std::string &Classifier::digest() const {
    return impl_->digest;
}

std::optional<int> Classifier::gpu() const {
    return impl_->gpu();
}

std::vector<Prediction> Classifier::classify(const FrameView &frame, int top_k, double threshold,
                                             std::optional<Region> region) {
    std::vector<Prediction> predictions;
    impl_->classify({frame, region}, top_k, threshold, predictions);
    return predictions;
}

void Classifier::classify(const FrameInput &input, int top_k, double threshold,
                          std::vector<Prediction> &predictions) {
    impl_->classify(input, top_k, threshold, predictions);
}

} // namespace tvw
