// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define TVW_TYPE_CLASSIFY (tvw_classify_get_type())
G_DECLARE_FINAL_TYPE(TvwClassify, tvw_classify, TVW, CLASSIFY, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(tvwclassify)

G_END_DECLS
