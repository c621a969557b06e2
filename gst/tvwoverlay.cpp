// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-tvwoverlay
 * @title: tvwoverlay
 * @short_description: draws the labels that tvwclassify found
 *
 * Writes the classes of a frame's `TvwClassificationMeta` and their probabilities into its top left
 * corner. Where downstream can draw overlays itself, the text travels as metadata and the picture
 * stays untouched; otherwise it is blended into the picture, whatever its format.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 v4l2src ! tvwclassify model=resnet50 ! tvwoverlay ! autovideosink
 * ]|
 *
 * Since: 0.1
 */
#include "tvwoverlay.h"

#include "classification_meta.h"
#include "guard.h"
#include "overlay_state.h"
#include "video_frame_view.h"

using tvw::gst::guarded;
using tvw::gst::OverlayState;
using tvw::gst::Phase;

GST_DEBUG_CATEGORY_STATIC(tvw_overlay_debug);
#define GST_CAT_DEFAULT tvw_overlay_debug

struct _TvwOverlay {
    GstBaseTransform parent;
    OverlayState *state;
};

G_DEFINE_TYPE(TvwOverlay, tvw_overlay, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(tvwoverlay, "tvwoverlay", GST_RANK_NONE, TVW_TYPE_OVERLAY)

namespace {

enum Property : guint { kFontDesc = 1, kLabels };

// Memory of any kind where downstream draws, system memory where it is done here.
#define OVERLAY_CAPS                                                                               \
    GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS)                               \
    ";" GST_VIDEO_CAPS_MAKE_WITH_FEATURES("ANY", GST_VIDEO_FORMATS_ALL)

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(OVERLAY_CAPS));
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(OVERLAY_CAPS));

OverlayState &state_of(gpointer object) {
    return *TVW_OVERLAY(object)->state;
}

void set_property(GObject *object, guint id, const GValue *value, GParamSpec *) {
    guarded(object, Phase::kStart, false, [&] {
        if (id == kFontDesc) {
            state_of(object).set_font(g_value_get_string(value));
        } else if (id == kLabels) {
            state_of(object).set_labels(g_value_get_uint(value));
        }
        return true;
    });
}

void get_property(GObject *object, guint id, GValue *value, GParamSpec *) {
    guarded(object, Phase::kStart, false, [&] {
        if (id == kFontDesc) {
            g_value_set_string(value, state_of(object).font().c_str());
        } else if (id == kLabels) {
            g_value_set_uint(value, state_of(object).labels());
        }
        return true;
    });
}

constexpr char kComposition[] = GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION;

/// The same caps, all of them with the overlays' feature.
GstCaps *with_feature(const GstCaps *caps) {
    GstCaps *result = gst_caps_copy(caps);
    for (guint i = 0; i < gst_caps_get_size(result); ++i) {
        GstCapsFeatures *features = gst_caps_get_features(result, i);
        if (!gst_caps_features_is_any(features) &&
            !gst_caps_features_contains(features, kComposition))
            gst_caps_features_add(features, kComposition);
    }
    return result;
}

/// The same caps, and before them all that have the overlays' feature without it.
GstCaps *and_without_feature(const GstCaps *caps) {
    GstCaps *result = gst_caps_copy(caps);
    for (guint i = 0; i < gst_caps_get_size(result); ++i) {
        GstCapsFeatures *features = gst_caps_get_features(result, i);
        if (!gst_caps_features_is_any(features))
            gst_caps_features_remove(features, kComposition);
    }
    return gst_caps_merge(result, gst_caps_copy(caps));
}

/// The overlays' feature may be added here, and is wherever downstream takes it; it is never taken
/// away, for nobody would draw what comes from upstream then.
GstCaps *transform_caps(GstBaseTransform *, GstPadDirection direction, GstCaps *caps,
                        GstCaps *filter) {
    GstCaps *other = direction == GST_PAD_SINK
                         ? gst_caps_merge(with_feature(caps), gst_caps_ref(caps))
                         : and_without_feature(caps);
    if (!filter)
        return other;
    GstCaps *filtered = gst_caps_intersect_full(filter, other, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(other);
    return filtered;
}

gboolean set_caps(GstBaseTransform *transform, GstCaps *, GstCaps *caps) {
    return guarded(transform, Phase::kStream, FALSE, [&]() -> gboolean {
        GstVideoInfo info;
        if (!gst_video_info_from_caps(&info, caps))
            return FALSE;
        state_of(transform).set_info(info);
        return TRUE;
    });
}

/// Buffers are passed on, so what downstream takes may come; but cropping by metadata would put the
/// labels out of sight.
gboolean propose_allocation(GstBaseTransform *transform, GstQuery *decided, GstQuery *query) {
    guint index = 0;
    if (!GST_BASE_TRANSFORM_CLASS(tvw_overlay_parent_class)
             ->propose_allocation(transform, decided, query))
        return FALSE;
    if (gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, &index))
        gst_query_remove_nth_allocation_meta(query, index);
    return TRUE;
}

gboolean src_event(GstBaseTransform *transform, GstEvent *event) {
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE)
        state_of(transform).ask_downstream();
    return GST_BASE_TRANSFORM_CLASS(tvw_overlay_parent_class)->src_event(transform, event);
}

/// Whether downstream draws compositions: the caps must allow them and the allocation query say so.
bool downstream_draws(GstBaseTransform *transform) {
    GstPad *pad = GST_BASE_TRANSFORM_SRC_PAD(transform);
    GstCaps *caps = gst_pad_get_current_caps(pad);
    if (!caps)
        return false;
    bool draws = false;
    if (gst_caps_features_contains(gst_caps_get_features(caps, 0), kComposition)) {
        GstQuery *query = gst_query_new_allocation(caps, FALSE);
        draws = gst_pad_peer_query(pad, query) &&
                gst_query_find_allocation_meta(query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE,
                                               nullptr);
        gst_query_unref(query);
    }
    gst_caps_unref(caps);
    return draws;
}

GstFlowReturn transform_ip(GstBaseTransform *transform, GstBuffer *buffer) {
    return guarded(transform, Phase::kStream, GST_FLOW_ERROR, [&] {
        OverlayState &state = state_of(transform);
        if (state.take_question()) {
            state.set_downstream_draws(downstream_draws(transform));
            GST_INFO_OBJECT(transform, "labels are drawn %s",
                            state.downstream_draws() ? "downstream" : "here");
        }
        const GstStructure *result = tvw::gst::classification_of(buffer);
        GstVideoOverlayComposition *labels = result ? state.labels_of(result) : nullptr;
        if (!labels)
            return GST_FLOW_OK;
        if (state.downstream_draws()) {
            tvw::gst::attach(buffer, labels);
            return GST_FLOW_OK;
        }
        tvw::gst::MappedFrame frame(state.info(), buffer, GST_MAP_READWRITE);
        if (!gst_video_overlay_composition_blend(labels, frame.get())) {
            GST_WARNING_OBJECT(transform, "the labels do not fit into %" GST_PTR_FORMAT,
                               static_cast<void *>(buffer));
        }
        return GST_FLOW_OK;
    });
}

gboolean stop(GstBaseTransform *transform) {
    state_of(transform).reset();
    return TRUE;
}

void finalize(GObject *object) {
    delete TVW_OVERLAY(object)->state;
    G_OBJECT_CLASS(tvw_overlay_parent_class)->finalize(object);
}

} // namespace

static void tvw_overlay_init(TvwOverlay *self) {
    self->state = new OverlayState;
    GstBaseTransform *transform = GST_BASE_TRANSFORM(self);
    gst_base_transform_set_in_place(transform, TRUE);
    gst_base_transform_set_gap_aware(transform, TRUE);
}

static void tvw_overlay_class_init(TvwOverlayClass *klass) {
    GST_DEBUG_CATEGORY_INIT(tvw_overlay_debug, "tvwoverlay", 0, "labels drawn on video");

    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = finalize;
    const auto flags =
        GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
    g_object_class_install_property(
        object_class, kFontDesc,
        g_param_spec_string("font-desc", "Font description",
                            "Pango font; without a size, the text follows the frame's height",
                            tvw::gst::kDefaultFont, flags));
    g_object_class_install_property(object_class, kLabels,
                                    g_param_spec_uint("labels", "Labels", "Number of classes shown",
                                                      1, G_MAXINT, tvw::gst::kDefaultLabels,
                                                      flags));

    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    gst_element_class_set_static_metadata(element_class, "Label overlay", "Filter/Editor/Video",
                                          "Draws the labels that tvwclassify found",
                                          "The tvw authors");
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);

    GstBaseTransformClass *transform_class = GST_BASE_TRANSFORM_CLASS(klass);
    transform_class->transform_caps = transform_caps;
    transform_class->set_caps = set_caps;
    transform_class->propose_allocation = propose_allocation;
    transform_class->src_event = src_event;
    transform_class->stop = stop;
    transform_class->transform_ip = transform_ip;
}
