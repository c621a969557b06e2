// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands behind a tvwoverlay element: its properties and the label drawn last.
#pragma once

#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

namespace tvw::gst {

inline constexpr char kDefaultFont[] = "Sans Bold";
inline constexpr unsigned kDefaultLabels = 3;

/// Locks: `mutex_` guards the properties alone and is held for a copy. Threads: properties and
/// ask_downstream() from any, the rest from the streaming thread.
class OverlayState {
public:
    std::string font() const;
    void set_font(const char *font);
    unsigned labels() const;
    void set_labels(unsigned labels);

    void set_info(const GstVideoInfo &info);
    const GstVideoInfo &info() const { return info_; }
    void reset();

    /// Downstream may have changed what it can draw.
    void ask_downstream() { ask_ = true; }
    /// True once after each change.
    bool take_question() { return ask_.exchange(false); }
    void set_downstream_draws(bool draws) { downstream_draws_ = draws; }
    bool downstream_draws() const { return downstream_draws_; }

    /// The labels of a result as a picture, which this object keeps; nullptr if there is no text.
    GstVideoOverlayComposition *labels_of(const GstStructure *result);

private:
    struct Unref {
        void operator()(GstVideoOverlayComposition *composition) const {
            gst_video_overlay_composition_unref(composition);
        }
    };

    mutable std::mutex mutex_;
    std::string font_ = kDefaultFont;
    unsigned labels_ = kDefaultLabels;

    GstVideoInfo info_{};
    std::atomic<bool> ask_{true};
    bool downstream_draws_ = false;
    std::string drawn_text_;
    std::string drawn_font_;
    std::unique_ptr<GstVideoOverlayComposition, Unref> drawn_;
};

/// Adds the labels to what the buffer's other overlays show.
void attach(GstBuffer *buffer, GstVideoOverlayComposition *labels);

} // namespace tvw::gst
