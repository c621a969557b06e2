// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-tvwclassify
 * @title: tvwclassify
 * @short_description: classifies video frames with a torchvision checkpoint
 *
 * Names a checkpoint as torchvision does, gives every frame that checkpoint's own resize, crop and
 * normalisation, runs the model, and attaches the most probable classes to the buffer. The picture
 * is not changed.
 *
 * Results appear as a #GstCustomMeta named `TvwClassificationMeta`, as an element message
 * `tvw-classification` for each inferred frame, and, from GStreamer 1.24, as a GstAnalytics class.
 *
 * Where the model runs on a GPU, frames are taken from its memory as well (`memory:CUDAMemory`), if
 * GStreamer's CUDA library was there when the plugin was built.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m v4l2src ! tvwclassify weights=ResNet50_Weights.DEFAULT ! tvwoverlay !
 * autovideosink
 * ]| Shows what the camera sees, with its most probable classes.
 *
 * Since: 0.1
 */
#include "tvwclassify.h"

#include "analytics.h"
#include "classification_meta.h"
#include "classify_properties.h"
#include "classify_state.h"
#include "cuda_memory.h"
#include "guard.h"
#include "video_caps.h"
#include "video_frame_view.h"

#include <tvw/error.h>

using tvw::gst::ClassifyState;
using tvw::gst::FramePlace;
using tvw::gst::guarded;
using tvw::gst::Phase;
using tvw::gst::Properties;

GST_DEBUG_CATEGORY_STATIC(tvw_classify_debug);
#define GST_CAT_DEFAULT tvw_classify_debug

struct _TvwClassify {
    GstBaseTransform parent;
    ClassifyState *state;
};

G_DEFINE_TYPE(TvwClassify, tvw_classify, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(tvwclassify, "tvwclassify", GST_RANK_NONE, TVW_TYPE_CLASSIFY)

namespace {

ClassifyState &state_of(gpointer object) {
    return *TVW_CLASSIFY(object)->state;
}

void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
    guarded(object, Phase::kStart, false, [&] {
        ClassifyState &state = state_of(object);
        state.edit_properties(
            [&](Properties &properties) { store_property(properties, id, value); });
        if (!(spec->flags & GST_PARAM_MUTABLE_PLAYING) && GST_STATE(object) > GST_STATE_READY)
            GST_WARNING_OBJECT(object, "%s takes effect at the next start", spec->name);
        return true;
    });
}

void get_property(GObject *object, guint id, GValue *value, GParamSpec *) {
    guarded(object, Phase::kStart, false, [&] {
        fetch_property(state_of(object).properties(), id, value);
        return true;
    });
}

GstStateChangeReturn change_state(GstElement *element, GstStateChange change) {
    // Before the elements upstream, which get ready later and take the context that is there.
    if (change == GST_STATE_CHANGE_NULL_TO_READY) {
        guarded(element, Phase::kStart, false, [&] {
            if (const std::optional<int> gpu = state_of(element).gpu())
                tvw::gst::share_cuda_context(element, *gpu);
            return true;
        });
    }
    return GST_ELEMENT_CLASS(tvw_classify_parent_class)->change_state(element, change);
}

gboolean query(GstBaseTransform *transform, GstPadDirection direction, GstQuery *query) {
    const bool answered =
        GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT && guarded(transform, Phase::kStart, false, [&] {
            const std::optional<int> gpu = state_of(transform).gpu();
            return gpu && tvw::gst::answer_context_query(GST_ELEMENT(transform), query, *gpu);
        });
    if (answered)
        return TRUE;
    return GST_BASE_TRANSFORM_CLASS(tvw_classify_parent_class)->query(transform, direction, query);
}

/// What comes in goes out; from a GPU's memory, if the model runs there.
GstCaps *transform_caps(GstBaseTransform *transform, GstPadDirection, GstCaps *caps,
                        GstCaps *filter) {
    return guarded(transform, Phase::kStart, static_cast<GstCaps *>(nullptr), [&] {
        GstCaps *result = state_of(transform).gpu() ? gst_caps_ref(caps)
                                                    : tvw::gst::new_caps_without_cuda_memory(caps);
        if (!filter)
            return result;
        GstCaps *wanted = gst_caps_intersect_full(filter, result, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(result);
        return wanted;
    });
}

gboolean start(GstBaseTransform *transform) {
    return guarded(transform, Phase::kStart, FALSE, [&] {
        state_of(transform).start();
        return TRUE;
    });
}

gboolean stop(GstBaseTransform *transform) {
    return guarded(transform, Phase::kStart, FALSE, [&] {
        state_of(transform).stop();
        return TRUE;
    });
}

gboolean set_caps(GstBaseTransform *transform, GstCaps *caps, GstCaps *) {
    return guarded(transform, Phase::kStream, FALSE, [&] {
        const GstVideoInfo info = tvw::gst::info_from_caps(caps);
        if (!tvw::gst::matrix_is_exact(info)) {
            GST_WARNING_OBJECT(transform, "%" GST_PTR_FORMAT ": nearest colour matrix used",
                               static_cast<void *>(caps));
        }
        state_of(transform).set_info(info);
        return TRUE;
    });
}

gboolean sink_event(GstBaseTransform *transform, GstEvent *event) {
    // What follows a seek or a new stream has nothing to do with the last result.
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_STOP:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_STREAM_START:
        state_of(transform).forget();
        break;
    default:
        break;
    }
    return GST_BASE_TRANSFORM_CLASS(tvw_classify_parent_class)->sink_event(transform, event);
}

/// Classifies one frame and tells the bus. An answer that is not a number is worth a warning, once
/// for as long as it lasts, but not the end of the stream.
void infer(GstBaseTransform *transform, ClassifyState &state, GstBuffer *buffer) {
    const std::optional<uint64_t> pts =
        GST_BUFFER_PTS_IS_VALID(buffer) ? std::optional(GST_BUFFER_PTS(buffer)) : std::nullopt;
    const FramePlace place = tvw::gst::place_of(buffer, state.gpu());
    if (place == FramePlace::kOtherContext && state.first_copy())
        GST_WARNING_OBJECT(transform, "frames lie in another CUDA context than the model's, and "
                                      "are copied through the host's memory");
    const tvw::gst::MappedFrame frame(state.info(), buffer, tvw::gst::read_flags(place));
    tvw::FrameView view = frame.view();
    view.gpu = tvw::gst::gpu_memory(buffer, place, state.gpu());
    try {
        state.infer(view, tvw::gst::visible_region(buffer), pts);
    } catch (const tvw::Error &error) {
        if (error.kind() != tvw::ErrorKind::kMismatch)
            throw;
        if (state.first_failure(true)) {
            GST_ELEMENT_WARNING(transform, STREAM, FAILED, ("%s", error.what()),
                                ("no label from the frame at %" GST_TIME_FORMAT " on",
                                 GST_TIME_ARGS(GST_BUFFER_PTS(buffer))));
        }
        return;
    }
    state.first_failure(false);
    GstElement *element = GST_ELEMENT(transform);
    gst_element_post_message(element,
                             tvw::gst::new_classification_message(element, *state.result()));
}

GstFlowReturn transform_ip(GstBaseTransform *transform, GstBuffer *buffer) {
    return guarded(transform, Phase::kStream, GST_FLOW_ERROR, [&] {
        ClassifyState &state = state_of(transform);
        // There is nothing new to see in a gap: videorate marks the frames so that it repeats.
        if (state.count_frame() && !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP))
            infer(transform, state, buffer);
        const tvw::gst::FrameResult *result = state.result();
        tvw::gst::set_classification_meta(buffer, result);
        if (result)
            tvw::gst::add_analytics_class(buffer, *result);
        return GST_FLOW_OK;
    });
}

void add_pad_template(GstElementClass *element_class, const char *name, GstPadDirection direction) {
    GstCaps *caps = tvw::gst::new_video_caps();
    gst_element_class_add_pad_template(element_class,
                                       gst_pad_template_new(name, direction, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
}

void finalize(GObject *object) {
    delete TVW_CLASSIFY(object)->state;
    G_OBJECT_CLASS(tvw_classify_parent_class)->finalize(object);
}

} // namespace

static void tvw_classify_init(TvwClassify *self) {
    self->state = new ClassifyState;
    GstBaseTransform *transform = GST_BASE_TRANSFORM(self);
    gst_base_transform_set_in_place(transform, TRUE);
    gst_base_transform_set_gap_aware(transform, TRUE);
}

static void tvw_classify_class_init(TvwClassifyClass *klass) {
    GST_DEBUG_CATEGORY_INIT(tvw_classify_debug, "tvwclassify", 0, "torchvision classifier");

    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = finalize;
    tvw::gst::install_properties(object_class);

    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    gst_element_class_set_static_metadata(
        element_class, "torchvision classifier", "Filter/Analyzer/Video",
        "Labels video frames with a torchvision checkpoint", "The tvw authors");
    element_class->change_state = change_state;
    add_pad_template(element_class, "sink", GST_PAD_SINK);
    add_pad_template(element_class, "src", GST_PAD_SRC);

    GstBaseTransformClass *transform_class = GST_BASE_TRANSFORM_CLASS(klass);
    transform_class->start = start;
    transform_class->stop = stop;
    transform_class->query = query;
    transform_class->transform_caps = transform_caps;
    transform_class->set_caps = set_caps;
    transform_class->sink_event = sink_event;
    transform_class->transform_ip = transform_ip;
}
