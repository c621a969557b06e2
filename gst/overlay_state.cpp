// SPDX-License-Identifier: LGPL-2.1-or-later
#include "overlay_state.h"

#include "classification_meta.h"
#include "label_image.h"

#include <fmt/format.h>

#include <algorithm>

namespace tvw::gst {

namespace {

/// One line: the label, or the class's number where it has none, and its probability.
std::string line_of(const GstStructure *prediction) {
    gint class_id = 0;
    gdouble probability = 0;
    gst_structure_get_int(prediction, "class-id", &class_id);
    gst_structure_get_double(prediction, "probability", &probability);
    const char *label = gst_structure_get_string(prediction, "label");
    return fmt::format("{}  {:.1f} %", shown_class(label, class_id), probability * 100);
}

std::string text_of(const GstStructure *result, unsigned labels) {
    const GValue *predictions = gst_structure_get_value(result, "predictions");
    if (!predictions || !GST_VALUE_HOLDS_ARRAY(predictions))
        return {};
    std::string text;
    const guint count = std::min(gst_value_array_get_size(predictions), labels);
    for (guint i = 0; i < count; ++i) {
        const GValue *prediction = gst_value_array_get_value(predictions, i);
        if (!GST_VALUE_HOLDS_STRUCTURE(prediction))
            continue;
        if (!text.empty())
            text += '\n';
        text += line_of(gst_value_get_structure(prediction));
    }
    return text;
}

} // namespace

std::string OverlayState::font() const {
    const std::lock_guard lock(mutex_);
    return font_;
}

void OverlayState::set_font(const char *font) {
    const std::lock_guard lock(mutex_);
    font_ = font ? font : kDefaultFont;
}

unsigned OverlayState::labels() const {
    const std::lock_guard lock(mutex_);
    return labels_;
}

void OverlayState::set_labels(unsigned labels) {
    const std::lock_guard lock(mutex_);
    labels_ = labels;
}

void OverlayState::set_info(const GstVideoInfo &info) {
    info_ = info;
    drawn_.reset();
    ask_downstream();
}

void OverlayState::reset() {
    drawn_.reset();
    ask_downstream();
}

GstVideoOverlayComposition *OverlayState::labels_of(const GstStructure *result) {
    const std::string text = text_of(result, labels());
    if (text.empty())
        return nullptr;
    const std::string font = this->font();
    if (!drawn_ || text != drawn_text_ || font != drawn_font_) {
        drawn_.reset(new_label_composition(text, {font, info_.width, info_.height}));
        drawn_text_ = text;
        drawn_font_ = font;
    }
    return drawn_.get();
}

void attach(GstBuffer *buffer, GstVideoOverlayComposition *labels) {
    GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta(buffer);
    if (!meta) {
        gst_buffer_add_video_overlay_composition_meta(buffer, labels);
        return;
    }
    GstVideoOverlayComposition *both = gst_video_overlay_composition_copy(meta->overlay);
    for (guint i = 0; i < gst_video_overlay_composition_n_rectangles(labels); ++i) {
        gst_video_overlay_composition_add_rectangle(
            both, gst_video_overlay_composition_get_rectangle(labels, i));
    }
    gst_video_overlay_composition_unref(meta->overlay);
    meta->overlay = both;
}

} // namespace tvw::gst
