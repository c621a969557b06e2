// SPDX-License-Identifier: LGPL-2.1-or-later
#include "classify_properties.h"

#include <gst/gst.h>

namespace tvw::gst {

namespace {

enum Property : guint {
    kWeights = 1,
    kCheckpoint,
    kModel,
    kTopK,
    kThreshold,
    kDevice,
    kInferenceInterval,
    kThreads,
    kPreprocess,
    kPrecision,
};

/// PreprocessMode as GObject knows it.
GType preprocess_mode_type() {
    static const GEnumValue values[] = {
        {gint(PreprocessMode::kExact), "Every pixel to RGB, then as torchvision does", "exact"},
        {gint(PreprocessMode::kFast), "Vertically first, in fixed point", "fast"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("TvwPreprocessMode", values);
    return type;
}

std::string text_of(const GValue *value) {
    const char *text = g_value_get_string(value);
    return text ? text : "";
}

} // namespace

void install_properties(GObjectClass *object_class) {
    const Properties usual;
    const auto at = [](GParamFlags mutability) {
        return GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | mutability);
    };
    const GParamFlags ready = at(GParamFlags(GST_PARAM_MUTABLE_READY));
    const GParamFlags playing = at(GParamFlags(GST_PARAM_MUTABLE_PLAYING));
    const auto add_text = [&](Property id, const char *name, const char *nick, const char *blurb,
                              const char *initial) {
        g_object_class_install_property(object_class, id,
                                        g_param_spec_string(name, nick, blurb, initial, ready));
    };
    add_text(kWeights, "weights", "Weights",
             "Checkpoint by name (ResNet50_Weights.DEFAULT) or path of its descriptor (.json)",
             nullptr);
    add_text(kCheckpoint, "checkpoint", "Checkpoint",
             "Local file to use instead of the cached checkpoint of weights", nullptr);
    add_text(kModel, "model", "Model",
             "Model by name (resnet50), with its DEFAULT weights; instead of weights", nullptr);
    add_text(kDevice, "device", "Device", "Where to run: auto, cpu, cuda or cuda:N",
             usual.device.c_str());
    add_text(kPrecision, "precision", "Precision",
             "Numbers of the model: fp32; on a GPU also tf32, fp16 or bf16; on some CPUs also bf16",
             usual.precision.c_str());

    const auto add_count = [&](Property id, const char *name, const char *nick, const char *blurb,
                               guint least, guint initial, GParamFlags flags) {
        g_object_class_install_property(
            object_class, id,
            g_param_spec_uint(name, nick, blurb, least, G_MAXINT, initial, flags));
    };
    add_count(kTopK, "top-k", "Top k", "Number of classes in a result", 1, usual.tuning.top_k,
              playing);
    add_count(kInferenceInterval, "inference-interval", "Inference interval",
              "Classify every n-th frame; those between repeat the last result", 1,
              usual.tuning.inference_interval, playing);
    add_count(kThreads, "threads", "Threads", "Threads of the model; 0: one per CPU", 0,
              usual.threads, ready);
    g_object_class_install_property(
        object_class, kPreprocess,
        g_param_spec_enum("preprocess", "Preprocessing",
                          "How frames of Y'CbCr formats become the model's input",
                          preprocess_mode_type(), gint(usual.preprocess), ready));
    g_object_class_install_property(object_class, kThreshold,
                                    g_param_spec_double("threshold", "Threshold",
                                                        "Least probability of a class in a result",
                                                        0, 1, usual.tuning.threshold, playing));
}

void store_property(Properties &properties, guint id, const GValue *value) {
    switch (id) {
    case kWeights:
        properties.weights = text_of(value);
        break;
    case kCheckpoint:
        properties.checkpoint = text_of(value);
        break;
    case kModel:
        properties.model = text_of(value);
        break;
    case kTopK:
        properties.tuning.top_k = g_value_get_uint(value);
        break;
    case kThreshold:
        properties.tuning.threshold = g_value_get_double(value);
        break;
    case kDevice:
        properties.device = text_of(value);
        break;
    case kPrecision:
        properties.precision = text_of(value);
        break;
    case kInferenceInterval:
        properties.tuning.inference_interval = g_value_get_uint(value);
        break;
    case kThreads:
        properties.threads = g_value_get_uint(value);
        break;
    case kPreprocess:
        properties.preprocess = PreprocessMode(g_value_get_enum(value));
        break;
    default:
        break;
    }
}

void fetch_property(const Properties &properties, guint id, GValue *value) {
    const auto set_text = [value](const std::string &text) {
        g_value_set_string(value, text.empty() ? nullptr : text.c_str());
    };
    switch (id) {
    case kWeights:
        return set_text(properties.weights);
    case kCheckpoint:
        return set_text(properties.checkpoint);
    case kModel:
        return set_text(properties.model);
    case kTopK:
        return g_value_set_uint(value, properties.tuning.top_k);
    case kThreshold:
        return g_value_set_double(value, properties.tuning.threshold);
    case kDevice:
        return set_text(properties.device);
    case kPrecision:
        return set_text(properties.precision);
    case kInferenceInterval:
        return g_value_set_uint(value, properties.tuning.inference_interval);
    case kThreads:
        return g_value_set_uint(value, properties.threads);
    case kPreprocess:
        return g_value_set_enum(value, gint(properties.preprocess));
    default:
        break;
    }
}

} // namespace tvw::gst
