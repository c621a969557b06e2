// SPDX-License-Identifier: LGPL-2.1-or-later
#include "video_caps.h"

#include "cuda_memory.h"
#include "video_frame_view.h"

namespace tvw::gst {

namespace {

constexpr const char *kCudaMemory = "memory:CUDAMemory";

gboolean is_elsewhere(GstCapsFeatures *features, GstStructure *, gpointer) {
    return !gst_caps_features_contains(features, kCudaMemory);
}

} // namespace

GstCaps *new_video_caps() {
    GstCaps *system = gst_caps_from_string(GST_VIDEO_CAPS_MAKE(TVW_VIDEO_FORMATS));
    if (!knows_cuda_memory())
        return system;
    GstCaps *caps = gst_caps_copy(system);
    gst_caps_set_features_simple(caps, gst_caps_features_new(kCudaMemory, nullptr));
    gst_caps_append(caps, system);
    return caps;
}

GstCaps *new_caps_without_cuda_memory(GstCaps *caps) {
    if (gst_caps_is_any(caps))
        return gst_caps_ref(caps);
    GstCaps *rest = gst_caps_copy(caps);
    gst_caps_filter_and_map_in_place(rest, is_elsewhere, nullptr);
    return rest;
}

} // namespace tvw::gst
