// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda_memory.h"

namespace tvw::gst {

bool knows_cuda_memory() {
    return false;
}

void share_cuda_context(GstElement *, int) {}

bool answer_context_query(GstElement *, GstQuery *, int) {
    return false;
}

FramePlace place_of(GstBuffer *, std::optional<int>) {
    return FramePlace::kHost;
}

GstMapFlags read_flags(FramePlace) {
    return GST_MAP_READ;
}

std::optional<GpuMemory> gpu_memory(GstBuffer *, FramePlace, std::optional<int>) {
    return std::nullopt;
}

} // namespace tvw::gst
