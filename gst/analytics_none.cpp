// SPDX-License-Identifier: LGPL-2.1-or-later
#include "analytics.h"

namespace tvw::gst {

void add_analytics_class(GstBuffer *, const FrameResult &) {}

} // namespace tvw::gst
