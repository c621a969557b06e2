// SPDX-License-Identifier: LGPL-2.1-or-later
#include "analytics.h"

#include "classification_meta.h"

#include <tvw/error.h>

#define GST_USE_UNSTABLE_API
#include <gst/analytics/analytics.h>

namespace tvw::gst {

void add_analytics_class(GstBuffer *buffer, const FrameResult &result) {
    if (result.classification.predictions.empty())
        return;
    const Prediction &best = result.classification.predictions.front();
    const std::string name = shown_class(best.label.c_str(), best.class_id);
    GstAnalyticsRelationMeta *relations = gst_buffer_add_analytics_relation_meta(buffer);
    GstAnalyticsClsMtd entry;
    if (!relations ||
        !gst_analytics_relation_meta_add_one_cls_mtd(relations, float(best.probability),
                                                     g_quark_from_string(name.c_str()), &entry))
        throw Error(ErrorKind::kInternal, "the buffer takes no analytics metadata");
}

} // namespace tvw::gst
