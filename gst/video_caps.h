// SPDX-License-Identifier: LGPL-2.1-or-later
// The caps of frames that can be classified.
#pragma once

#include <gst/gst.h>

namespace tvw::gst {

/// Every format that FrameView knows, in system memory and, in builds that know GstCudaMemory, in a
/// GPU's; that comes first, since it spares a download.
GstCaps *new_video_caps();

/// A copy of caps without what lies in a GPU's memory.
GstCaps *new_caps_without_cuda_memory(GstCaps *caps);

} // namespace tvw::gst
