// SPDX-License-Identifier: LGPL-2.1-or-later
#include "classify_state.h"

#include <tvw/engine.h>
#include <tvw/error.h>
#include <tvw/weights.h>

#include <utility>

namespace tvw::gst {

namespace {

std::string chosen_weights(const Properties &properties) {
    if (properties.weights.empty() == properties.model.empty()) {
        throw Error(ErrorKind::kInvalidArgument,
                    properties.weights.empty()
                        ? "no model is chosen: set \"weights\" (ResNet50_Weights.DEFAULT, or the "
                          "path of a descriptor) or \"model\" (resnet50)"
                        : "both \"weights\" and \"model\" are set: keep one of them");
    }
    if (properties.model.empty())
        return properties.weights;
    const WeightsEnum &weights = get_model_weights(properties.model);
    if (!weights.default_member()) {
        throw Error(ErrorKind::kNotFound, properties.model +
                                              " has no published weights: name a descriptor with "
                                              "\"weights\" instead");
    }
    return weights.default_member()->name();
}

/// What a device asks for; none as well for what is no device, of which start() tells.
std::optional<int> wanted_gpu(const std::string &device) {
    try {
        const Device wanted = parse_device(device);
        return wanted.type == Device::Type::kCpu ? std::nullopt : std::optional(wanted.index);
    } catch (const Error &) {
        return std::nullopt;
    }
}

} // namespace

Properties ClassifyState::properties() const {
    const std::lock_guard lock(mutex_);
    return properties_;
}

Tuning ClassifyState::tuning() const {
    const std::lock_guard lock(mutex_);
    return properties_.tuning;
}

void ClassifyState::start() {
    const Properties properties = this->properties();
    ClassifierConfig config;
    config.weights = chosen_weights(properties);
    if (!properties.checkpoint.empty())
        config.checkpoint = properties.checkpoint;
    config.device = properties.device;
    config.precision = properties.precision;
    config.threads = int(properties.threads);
    config.preprocess = properties.preprocess;
    classifier_ = std::make_unique<Classifier>(config);
    place_ = classifier_->gpu().value_or(kOnCpu);
    failing_ = false;
    copying_ = false;
    forget();
}

std::optional<int> ClassifyState::gpu() const {
    const int place = place_;
    if (place == kNotStarted)
        return wanted_gpu(properties().device);
    return place == kOnCpu ? std::nullopt : std::optional(place);
}

void ClassifyState::stop() {
    place_ = kNotStarted;
    classifier_.reset();
    forget();
}

void ClassifyState::set_info(const GstVideoInfo &info) {
    info_ = info;
    forget();
}

void ClassifyState::forget() {
    result_.reset();
    since_inference_.reset();
}

bool ClassifyState::count_frame() {
    if (!since_inference_)
        return true;
    ++*since_inference_;
    if (result_)
        result_->age = *since_inference_;
    return *since_inference_ >= tuning().inference_interval;
}

void ClassifyState::infer(const FrameView &frame, std::optional<Region> visible,
                          std::optional<uint64_t> pts_ns) {
    const Tuning tuning = this->tuning();
    result_.reset();
    since_inference_ = 0;
    FrameResult result;
    result.classification.predictions =
        classifier_->classify(frame, int(tuning.top_k), tuning.threshold, visible);
    result.classification.pts_ns = pts_ns;
    result.classification.weights = classifier_->weights().name();
    result.classification.digest = classifier_->digest();
    result_ = std::move(result);
}

bool ClassifyState::first_failure(bool failed) {
    return !std::exchange(failing_, failed) && failed;
}

bool ClassifyState::first_copy() {
    return !std::exchange(copying_, true);
}

} // namespace tvw::gst
