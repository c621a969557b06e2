// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines of text as a picture to lay over a video frame.
#pragma once

#include <gst/video/video.h>

#include <string>

namespace tvw::gst {

struct LabelStyle {
    std::string font = "Sans Bold"; ///< Pango description; without a size it follows the frame
    int frame_width = 0;
    int frame_height = 0;
};

/// A composition with `text` on a dark box in the frame's top left corner. The caller owns it.
GstVideoOverlayComposition *new_label_composition(const std::string &text, const LabelStyle &style);

} // namespace tvw::gst
