// SPDX-License-Identifier: LGPL-2.1-or-later
#include "video.h"

#include <tvw/error.h>

#include <gst/gst.h>

#include <memory>
#include <optional>
#include <string>

namespace tvw::cli {
namespace {

constexpr char kNoVideo[] = "tvw-no-video"; ///< our own message on the pipeline's bus

struct Unref {
    void operator()(gpointer object) const { gst_object_unref(object); }
    void operator()(GstMessage *message) const { gst_message_unref(message); }
    void operator()(GError *error) const { g_error_free(error); }
    void operator()(gchar *text) const { g_free(text); }
};
template<typename T>
using Owned = std::unique_ptr<T, Unref>;

/// The plugin that was built or installed with this program, else the registry's: a plugin of
/// another build would meet this one's libtvw-core.
void need_plugin() {
    gst_init(nullptr, nullptr);
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const auto &folder : {here / ".." / "gst", here / TVW_PLUGIN_DIR}) {
        const auto file = folder / "libgsttvw.so";
        if (!std::filesystem::exists(file))
            continue;
        GError *error = nullptr;
        const Owned<GstPlugin> plugin(gst_plugin_load_file(file.c_str(), &error));
        const Owned<GError> owned_error(error);
        if (!plugin)
            throw Error(ErrorKind::kNotSupported, error->message);
        return;
    }
    if (!gst_registry_check_feature_version(gst_registry_get(), "tvwclassify", 0, 0, 0)) {
        throw Error(ErrorKind::kNotSupported,
                    "GStreamer finds no element tvwclassify: put the folder of libgsttvw.so into "
                    "GST_PLUGIN_PATH");
    }
}

Owned<GstElement> make_pipeline(const std::filesystem::path &file, const VideoOptions &options) {
    // videoconvert passes on what tvwclassify takes as it is.
    Owned<GstElement> pipeline(gst_parse_launch("filesrc name=source ! decodebin name=decode"
                                                " ! videoconvert name=entry"
                                                " ! tvwclassify name=classify"
                                                " ! fakesink sync=false",
                                                nullptr));
    if (!pipeline) {
        throw Error(ErrorKind::kNotSupported,
                    "GStreamer's base plugins are not installed: filesrc, decodebin and "
                    "videoconvert are needed");
    }
    const Owned<GstElement> source(gst_bin_get_by_name(GST_BIN(pipeline.get()), "source"));
    g_object_set(source.get(), "location", file.c_str(), nullptr);
    const Owned<GstElement> classify(gst_bin_get_by_name(GST_BIN(pipeline.get()), "classify"));
    const ClassifierConfig &config = options.config;
    g_object_set(classify.get(), "weights", config.weights.c_str(), "device", config.device.c_str(),
                 "precision", config.precision.c_str(), "threads", guint(config.threads), "top-k",
                 guint(options.top_k), "threshold", options.threshold, "preprocess",
                 gint(config.preprocess), nullptr);
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

/// The kind of an error that is not tvwclassify's own.
ErrorKind foreign_kind(const GError &error) {
    if (error.domain == GST_RESOURCE_ERROR)
        return error.code == GST_RESOURCE_ERROR_NOT_FOUND ? ErrorKind::kNotFound : ErrorKind::kIo;
    if (error.domain == GST_STREAM_ERROR && error.code != GST_STREAM_ERROR_CODEC_NOT_FOUND)
        return ErrorKind::kCorruptFile;
    return ErrorKind::kNotSupported;
}

/// tvwclassify's own errors carry the library's kind and offset.
Error own_error(const GstStructure *details, const std::string &text) {
    const std::string name = text_field(details, "kind");
    guint64 offset = 0;
    const bool has_offset = gst_structure_get_uint64(details, "offset", &offset);
    ErrorKind kind = ErrorKind::kInternal;
    for (const auto known :
         {ErrorKind::kInvalidArgument, ErrorKind::kNotFound, ErrorKind::kNotSupported,
          ErrorKind::kCorruptFile, ErrorKind::kMismatch, ErrorKind::kIo}) {
        if (name == error_kind_name(known))
            kind = known;
    }
    return {kind, text, has_offset ? std::optional<uint64_t>(offset) : std::nullopt};
}

/// Once every stream of the file is known: one without video would never end for lack of a sink.
void on_all_streams_known(GstElement *decode, gpointer entry) {
    const Owned<GstPad> pad(gst_element_get_static_pad(GST_ELEMENT(entry), "sink"));
    if (gst_pad_is_linked(pad.get()))
        return;
    gst_element_post_message(
        decode, gst_message_new_application(GST_OBJECT(decode), gst_structure_new_empty(kNoVideo)));
}

/// One run of the pipeline, as its messages tell it.
class Run {
public:
    Run(GstElement *pipeline, const std::filesystem::path &file)
        : bus_(gst_element_get_bus(pipeline)),
          classify_(gst_bin_get_by_name(GST_BIN(pipeline), "classify")),
          file_(file) {
        const Owned<GstElement> decode(gst_bin_get_by_name(GST_BIN(pipeline), "decode"));
        const Owned<GstElement> entry(gst_bin_get_by_name(GST_BIN(pipeline), "entry"));
        g_signal_connect_object(decode.get(), "no-more-pads", G_CALLBACK(on_all_streams_known),
                                entry.get(), GConnectFlags(0));
    }

    /// Hands on every result until the end of the stream.
    void follow(const std::function<void(const Classification &)> &on_result) {
        const auto wanted =
            GstMessageType(GST_MESSAGE_ELEMENT | GST_MESSAGE_APPLICATION | GST_MESSAGE_WARNING |
                           GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
        bool ended = false;
        while (!ended) {
            const Owned<GstMessage> message(
                gst_bus_timed_pop_filtered(bus_.get(), GST_CLOCK_TIME_NONE, wanted));
            ended = GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS;
            take(message.get(), on_result);
        }
        if (results_ == 0)
            throw_without_video();
    }

private:
    void take(GstMessage *message, const std::function<void(const Classification &)> &on_result) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
            throw_error(message);
        // Its only warning: the model's answer is no number. With a picture, that is an error too.
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING && is_own(message))
            throw_warning(message);
        if (gst_message_has_name(message, "tvw-classification")) {
            on_result(read_result(gst_message_get_structure(message), file_));
            ++results_;
        }
        if (gst_message_has_name(message, "missing-plugin"))
            missing_ = text_field(gst_message_get_structure(message), "name");
        if (gst_message_has_name(message, kNoVideo))
            throw_without_video();
    }

    bool is_own(GstMessage *message) const {
        return GST_MESSAGE_SRC(message) == GST_OBJECT_CAST(classify_.get());
    }

    [[noreturn]] void throw_without_video() const {
        throw Error(ErrorKind::kNotSupported,
                    file_.string() + (missing_.empty()
                                          ? ": no video in it that GStreamer can decode here"
                                          : ": GStreamer has no " + missing_ + " here"));
    }

    [[noreturn]] void throw_error(GstMessage *message) const {
        GError *error = nullptr;
        gst_message_parse_error(message, &error, nullptr);
        const Owned<GError> owned_error(error);
        const std::string text = file_.string() + ": " + error->message;
        const GstStructure *details = nullptr;
        gst_message_parse_error_details(message, &details);
        if (details && is_own(message))
            throw own_error(details, text);
        if (results_ == 0 && !missing_.empty())
            throw_without_video();
        throw Error(foreign_kind(*error), text);
    }

    [[noreturn]] void throw_warning(GstMessage *message) const {
        GError *warning = nullptr;
        gst_message_parse_warning(message, &warning, nullptr);
        const Owned<GError> owned_warning(warning);
        throw Error(ErrorKind::kMismatch, file_.string() + ": " + warning->message);
    }

    Owned<GstBus> bus_;
    Owned<GstElement> classify_;
    std::filesystem::path file_;
    int results_ = 0;
    std::string missing_; ///< the decoder that GStreamer looked for in vain
};

} // namespace

void classify_video(const std::filesystem::path &file, const VideoOptions &options,
                    const std::function<void(const Classification &)> &on_result) {
    need_plugin();
    const Owned<GstElement> pipeline = make_pipeline(file, options);
    const std::shared_ptr<GstElement> stopped(pipeline.get(), [](GstElement *element) {
        gst_element_set_state(element, GST_STATE_NULL);
    });
    Run run(pipeline.get(), file);
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    run.follow(on_result);
}

bool video_supported() {
    return true;
}

} // namespace tvw::cli
