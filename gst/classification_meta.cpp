// SPDX-License-Identifier: LGPL-2.1-or-later
#include "classification_meta.h"

#include <tvw/error.h>

#include <fmt/format.h>

namespace tvw::gst {

namespace {

void add_prediction(GValue *array, const Prediction &prediction) {
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, gst_structure_new("prediction", "class-id", G_TYPE_INT,
                                                 prediction.class_id, "label", G_TYPE_STRING,
                                                 prediction.label.c_str(), "probability",
                                                 G_TYPE_DOUBLE, prediction.probability, nullptr));
    gst_value_array_append_and_take_value(array, &value);
}

void fill(GstStructure *structure, const FrameResult &result) {
    const Classification &classification = result.classification;
    const guint64 pts = classification.pts_ns.value_or(GST_CLOCK_TIME_NONE);
    gst_structure_set(structure, "weights", G_TYPE_STRING, classification.weights.c_str(), "digest",
                      G_TYPE_STRING, classification.digest.c_str(), "pts", G_TYPE_UINT64, pts,
                      "age", G_TYPE_UINT, result.age, nullptr);
    if (!classification.predictions.empty()) {
        const Prediction &best = classification.predictions.front();
        gst_structure_set(structure, "label", G_TYPE_STRING, best.label.c_str(), "probability",
                          G_TYPE_DOUBLE, best.probability, nullptr);
    }
    GValue array = G_VALUE_INIT;
    gst_value_array_init(&array, guint(classification.predictions.size()));
    for (const Prediction &prediction : classification.predictions)
        add_prediction(&array, prediction);
    gst_structure_take_value(structure, "predictions", &array);
}

} // namespace

std::string shown_class(const char *label, int class_id) {
    return label && *label ? label : fmt::format("class {}", class_id);
}

void register_classification_meta() {
    // Another plugin of the process may have come first.
    if (gst_meta_get_info(kClassificationMeta))
        return;
    // Without tags, elements that change size or colours keep it.
    const char *no_tags[] = {nullptr};
    gst_meta_register_custom(kClassificationMeta, no_tags, nullptr, nullptr, nullptr);
}

void set_classification_meta(GstBuffer *buffer, const FrameResult *result) {
    while (GstCustomMeta *old = gst_buffer_get_custom_meta(buffer, kClassificationMeta))
        gst_buffer_remove_meta(buffer, &old->meta);
    if (!result)
        return;
    GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, kClassificationMeta);
    if (!meta)
        throw Error(ErrorKind::kInternal, "the buffer takes no TvwClassificationMeta");
    fill(gst_custom_meta_get_structure(meta), *result);
}

const GstStructure *classification_of(GstBuffer *buffer) {
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kClassificationMeta);
    return meta ? gst_custom_meta_get_structure(meta) : nullptr;
}

GstMessage *new_classification_message(GstElement *element, const FrameResult &result) {
    GstStructure *structure = gst_structure_new_empty(kClassificationMessage);
    fill(structure, result);
    return gst_message_new_element(GST_OBJECT(element), structure);
}

} // namespace tvw::gst
