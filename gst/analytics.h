// SPDX-License-Identifier: LGPL-2.1-or-later
// The most probable class in GStreamer's own dialect (GstAnalytics, 1.24 and later).
#pragma once

#include "classify_state.h"

#include <gst/gst.h>

namespace tvw::gst {

/// Adds the best prediction alone: readers of several classes in one entry join their names.
/// Does nothing where GStreamer is older, or where there is no prediction.
void add_analytics_class(GstBuffer *buffer, const FrameResult &result);

} // namespace tvw::gst
