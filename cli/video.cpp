// SPDX-License-Identifier: LGPL-2.1-or-later
#include "video.h"

#include <tvw/error.h>

#include <gst/gst.h>

#include <memory>
#include <string>

namespace tvw::cli {
namespace {

struct Unref {
    void operator()(gpointer object) const { gst_object_unref(object); }
    void operator()(GstMessage *message) const { gst_message_unref(message); }
    void operator()(GError *error) const { g_error_free(error); }
    void operator()(gchar *text) const { g_free(text); }
};
template<typename T>
using Owned = std::unique_ptr<T, Unref>;

/// The plugin of the registry, else the one that was built or installed with this program.
void need_plugin() {
    gst_init(nullptr, nullptr);
    GstRegistry *registry = gst_registry_get();
    if (gst_registry_check_feature_version(registry, "tvwclassify", 0, 0, 0))
        return;
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const auto &folder : {here / ".." / "gst", std::filesystem::path(TVW_PLUGIN_DIR)})
        gst_registry_scan_path(registry, folder.c_str());
    if (!gst_registry_check_feature_version(registry, "tvwclassify", 0, 0, 0))
        throw Error(ErrorKind::kNotSupported,
                    "GStreamer finds no element tvwclassify: put the folder of libgsttvw.so into "
                    "GST_PLUGIN_PATH");
}

Owned<GstElement> make_pipeline(const std::filesystem::path &file, const VideoOptions &options) {
    // videoconvert passes on what tvwclassify takes as it is.
    Owned<GstElement> pipeline(gst_parse_launch("filesrc name=source ! decodebin ! videoconvert"
                                                " ! tvwclassify name=classify"
                                                " ! fakesink sync=false",
                                                nullptr));
    if (!pipeline)
        throw Error(ErrorKind::kNotSupported,
                    "GStreamer's base plugins are not installed: filesrc, decodebin and "
                    "videoconvert are needed");
    const Owned<GstElement> source(gst_bin_get_by_name(GST_BIN(pipeline.get()), "source"));
    g_object_set(source.get(), "location", file.c_str(), nullptr);
    const Owned<GstElement> classify(gst_bin_get_by_name(GST_BIN(pipeline.get()), "classify"));
    const ClassifierConfig &config = options.config;
    g_object_set(classify.get(), "weights", config.weights.c_str(), "device", config.device.c_str(),
                 "threads", guint(config.threads), "top-k", guint(options.top_k), "threshold",
                 options.threshold, nullptr);
    if (config.checkpoint)
        g_object_set(classify.get(), "checkpoint", config.checkpoint->c_str(), nullptr);
    return pipeline;
}

std::string text_field(const GstStructure *structure, const char *name) {
    const char *text = gst_structure_get_string(structure, name);
    return text != nullptr ? text : "";
}

Prediction read_prediction(const GValue *value) {
    const GstStructure *fields = gst_value_get_structure(value);
    Prediction prediction;
    gst_structure_get_int(fields, "class-id", &prediction.class_id);
    gst_structure_get_double(fields, "probability", &prediction.probability);
    prediction.label = text_field(fields, "label");
    return prediction;
}

/// What the element's message says; the fields are those of docs/results.md.
Classification read_result(const GstStructure *fields, const std::filesystem::path &file) {
    Classification result;
    result.source = file.string();
    result.weights = text_field(fields, "weights");
    result.digest = text_field(fields, "digest");
    guint64 pts = GST_CLOCK_TIME_NONE;
    if (gst_structure_get_uint64(fields, "pts", &pts) && GST_CLOCK_TIME_IS_VALID(pts))
        result.pts_ns = pts;
    const GValue *list = gst_structure_get_value(fields, "predictions");
    for (guint i = 0; list != nullptr && i < gst_value_array_get_size(list); ++i)
        result.predictions.push_back(read_prediction(gst_value_array_get_value(list, i)));
    return result;
}

ErrorKind kind_of(GstMessage *message) {
    const GstStructure *details = nullptr;
    gst_message_parse_error_details(message, &details);
    const std::string name = details != nullptr ? text_field(details, "kind") : "";
    for (const auto kind :
         {ErrorKind::kInvalidArgument, ErrorKind::kNotFound, ErrorKind::kNotSupported,
          ErrorKind::kCorruptFile, ErrorKind::kMismatch, ErrorKind::kIo, ErrorKind::kInternal}) {
        if (name == error_kind_name(kind))
            return kind;
    }
    return ErrorKind::kNotSupported;
}

[[noreturn]] void throw_error(GstMessage *message, const std::filesystem::path &file) {
    GError *error = nullptr;
    gchar *debug = nullptr;
    gst_message_parse_error(message, &error, &debug);
    const Owned<GError> owned_error(error);
    const Owned<gchar> owned_debug(debug);
    throw Error(kind_of(message), file.string() + ": " + error->message);
}

/// Runs until the end of the stream; answers how many results there were.
int follow(GstElement *pipeline, const std::filesystem::path &file,
           const std::function<void(const Classification &)> &on_result) {
    const Owned<GstBus> bus(gst_element_get_bus(pipeline));
    const auto wanted = GstMessageType(GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    for (int results = 0;;) {
        const Owned<GstMessage> message(
            gst_bus_timed_pop_filtered(bus.get(), GST_CLOCK_TIME_NONE, wanted));
        if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS)
            return results;
        if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR)
            throw_error(message.get(), file);
        if (gst_message_has_name(message.get(), "tvw-classification")) {
            on_result(read_result(gst_message_get_structure(message.get()), file));
            ++results;
        }
    }
}

} // namespace

void classify_video(const std::filesystem::path &file, const VideoOptions &options,
                    const std::function<void(const Classification &)> &on_result) {
    need_plugin();
    const Owned<GstElement> pipeline = make_pipeline(file, options);
    const std::shared_ptr<GstElement> stopped(pipeline.get(), [](GstElement *element) {
        gst_element_set_state(element, GST_STATE_NULL);
    });
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    if (follow(pipeline.get(), file, on_result) == 0)
        throw Error(ErrorKind::kNotSupported,
                    file.string() + ": no video in it that GStreamer can decode here");
}

bool video_supported() {
    return true;
}

} // namespace tvw::cli
