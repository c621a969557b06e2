// SPDX-License-Identifier: LGPL-2.1-or-later
// A result as metadata on a buffer and as an element message; both have the fields that
// docs/results.md describes.
#pragma once

#include "classify_state.h"

#include <gst/gst.h>

#include <string>

namespace tvw::gst {

inline constexpr char kClassificationMeta[] = "TvwClassificationMeta";
inline constexpr char kClassificationMessage[] = "tvw-classification";

/// A class as people read it: by its label, by its number where it has none.
std::string shown_class(const char *label, int class_id);

/// Makes the metadata known to GStreamer; harmless if it is already.
void register_classification_meta();

/// Leaves exactly this result on the buffer, or none for nullptr, whatever it carried before.
void set_classification_meta(GstBuffer *buffer, const FrameResult *result);

/// The buffer's result, owned by it; nullptr if there is none.
const GstStructure *classification_of(GstBuffer *buffer);

/// The element message for a result.
GstMessage *new_classification_message(GstElement *element, const FrameResult &result);

} // namespace tvw::gst
