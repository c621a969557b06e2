// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/classifier.h>

#include "classifier/softmax.h"

#include <tvw/checkpoint.h>
#include <tvw/engine.h>
#include <tvw/error.h>
#include <tvw/hub.h>

#include <fmt/format.h>

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

    std::vector<Prediction> classify(const FrameView &frame, int count, double threshold,
                                     std::optional<Region> region);

    Weights weights;
    std::string digest;

private:
    std::vector<double> probabilities();

    Preprocessor preprocessor_;
    std::vector<NamedTensor> input_;  ///< [1, 3, H, W], kept from frame to frame
    std::vector<NamedTensor> output_; ///< likewise
    std::unique_ptr<Engine> engine_;
};

Classifier::Impl::Impl(const ClassifierConfig &config)
    : weights(find_weights(config.weights)), preprocessor_(preset_of(weights), config.preprocess) {
    EngineConfig engine = engine_config(weights);
    engine.device = parse_device(config.device);
    engine.precision = parse_precision(config.precision);
    engine.threads = config.threads;
    engine.checkpoint = read_checkpoint(weights, config);
    digest = engine.checkpoint->digest;
    // LibTorch is opened only now: a checkpoint that cannot be read never pays for it.
    engine_ = engine_library().create(engine);
    engine.checkpoint.reset(); // the engine has what it needs, and packs it with the first run
    Shape shape = preprocessor_.output_shape();
    shape.insert(shape.begin(), 1);
    input_.push_back({"input", HostTensor::zeros(DType::kFloat32, shape)});
    // The first run plans the model; better now than at the first frame.
    probabilities();
}

std::vector<double> Classifier::Impl::probabilities() {
    engine_->run(input_, output_);
    const HostTensor &logits = output_.front().tensor;
    const auto &categories = weights.meta().categories;
    if (categories && logits.numel() != int64_t(categories->size()))
        throw Error(ErrorKind::kMismatch,
                    fmt::format("{} names {} categories, {} answers {}", weights.name(),
                                categories->size(), weights.builder(), logits.numel()));
    return softmax(logits.values<float>());
}

std::vector<Prediction> Classifier::Impl::classify(const FrameView &frame, int count,
                                                   double threshold, std::optional<Region> region) {
    preprocessor_.run(frame, input_[0].tensor.mutable_values<float>(), region);
    const std::vector<double> values = probabilities();
    const auto &categories = weights.meta().categories;
    std::vector<Prediction> predictions;
    for (const int id : top_k(values, count, threshold))
        predictions.push_back(
            {id, categories ? (*categories)[size_t(id)] : std::string(), values[size_t(id)]});
    return predictions;
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

std::vector<Prediction> Classifier::classify(const FrameView &frame, int top_k, double threshold,
                                             std::optional<Region> region) {
    return impl_->classify(frame, top_k, threshold, region);
}

} // namespace tvw
