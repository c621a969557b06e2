// SPDX-License-Identifier: LGPL-2.1-or-later
// The plugin: registers elements and metadata, and loads nothing (GStreamer's scanner forks).
#include "classification_meta.h"
#include "tvwclassify.h"
#include "tvwoverlay.h"

#include <tvw/log.h>

#include <gst/gst.h>

#include <string>

GST_DEBUG_CATEGORY_STATIC(tvw_debug);

namespace {

void log_to_gstreamer(tvw::LogLevel level, std::string_view message) {
    GstDebugLevel shown = GST_LEVEL_DEBUG;
    if (level == tvw::LogLevel::kInfo) {
        shown = GST_LEVEL_INFO;
    } else if (level == tvw::LogLevel::kWarning) {
        shown = GST_LEVEL_WARNING;
    }
    GST_CAT_LEVEL_LOG(tvw_debug, shown, nullptr, "%s", std::string(message).c_str());
}

gboolean plugin_init(GstPlugin *plugin) {
    GST_DEBUG_CATEGORY_INIT(tvw_debug, "tvw", 0, "torchvision checkpoints");
    tvw::set_log_sink(log_to_gstreamer);
    tvw::gst::register_classification_meta();
    return GST_ELEMENT_REGISTER(tvwclassify, plugin) && GST_ELEMENT_REGISTER(tvwoverlay, plugin);
}

} // namespace

#define PACKAGE "tvw"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, tvw,
                  "torchvision checkpoints with their own preprocessing", plugin_init, TVW_VERSION,
                  "LGPL", "tvw", "Unknown package origin")
