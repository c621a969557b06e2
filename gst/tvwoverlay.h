// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define TVW_TYPE_OVERLAY (tvw_overlay_get_type())
G_DECLARE_FINAL_TYPE(TvwOverlay, tvw_overlay, TVW, OVERLAY, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(tvwoverlay)

G_END_DECLS
