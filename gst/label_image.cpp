// SPDX-License-Identifier: LGPL-2.1-or-later
#include "label_image.h"

#include <tvw/error.h>

#include <pango/pangocairo.h>

#include <algorithm>
#include <memory>

namespace tvw::gst {

namespace {

// Sizes follow the frame, so that labels look alike at every resolution.
constexpr int kFrameHeightPerLine = 18;
constexpr int kLeastLineHeight = 9;
constexpr int kFrameHeightPerPadding = 60;
constexpr int kLeastPadding = 2;

template<auto Free>
struct Freer {
    template<typename T>
    void operator()(T *object) const {
        Free(object);
    }
};
using Surface = std::unique_ptr<cairo_surface_t, Freer<cairo_surface_destroy>>;
using Context = std::unique_ptr<cairo_t, Freer<cairo_destroy>>;
using Layout = std::unique_ptr<PangoLayout, Freer<g_object_unref>>;
using Font = std::unique_ptr<PangoFontDescription, Freer<pango_font_description_free>>;

Font font_for(const LabelStyle &style) {
    Font font(pango_font_description_from_string(style.font.c_str()));
    if (pango_font_description_get_size(font.get()) == 0) {
        const int height = std::max(style.frame_height / kFrameHeightPerLine, kLeastLineHeight);
        pango_font_description_set_absolute_size(font.get(), double(height) * PANGO_SCALE);
    }
    return font;
}

Layout layout_for(cairo_t *context, const std::string &text, const LabelStyle &style) {
    Layout layout(pango_cairo_create_layout(context));
    pango_layout_set_font_description(layout.get(), font_for(style).get());
    pango_layout_set_text(layout.get(), text.c_str(), -1);
    return layout;
}

struct Size {
    int width;
    int height;
};

/// Cairo wants a surface even to measure.
Size measure(const std::string &text, const LabelStyle &style) {
    const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, 1, 1));
    const Context context(cairo_create(surface.get()));
    const Layout layout = layout_for(context.get(), text, style);
    Size size{};
    pango_layout_get_pixel_size(layout.get(), &size.width, &size.height);
    return size;
}

void draw(cairo_surface_t *surface, const std::string &text, const LabelStyle &style, int padding) {
    const Context context(cairo_create(surface));
    cairo_set_source_rgba(context.get(), 0, 0, 0, 0.65);
    cairo_paint(context.get());
    cairo_set_source_rgb(context.get(), 1, 1, 1);
    cairo_move_to(context.get(), padding, padding);
    const Layout layout = layout_for(context.get(), text, style);
    pango_cairo_show_layout(context.get(), layout.get());
    if (cairo_status(context.get()) != CAIRO_STATUS_SUCCESS)
        throw Error(ErrorKind::kInternal, cairo_status_to_string(cairo_status(context.get())));
}

using Buffer = std::unique_ptr<GstBuffer, Freer<gst_buffer_unref>>;

/// A buffer of premultiplied ARGB with the text on its box.
Buffer render(const std::string &text, const LabelStyle &style, const Size &box, int padding) {
    int stride = cairo_format_stride_for_width(CAIRO_FORMAT_ARGB32, box.width);
    const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, box.width, box.height));
    draw(surface.get(), text, style, padding);
    cairo_surface_flush(surface.get());
    const gsize bytes = gsize(stride) * gsize(box.height);
    Buffer pixels(gst_buffer_new_memdup(cairo_image_surface_get_data(surface.get()), bytes));
    gsize offset = 0;
    gst_buffer_add_video_meta_full(pixels.get(), GST_VIDEO_FRAME_FLAG_NONE,
                                   GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, guint(box.width),
                                   guint(box.height), 1, &offset, &stride);
    return pixels;
}

} // namespace

GstVideoOverlayComposition *new_label_composition(const std::string &text,
                                                  const LabelStyle &style) {
    const Size text_size = measure(text, style);
    const int padding = std::max(style.frame_height / kFrameHeightPerPadding, kLeastPadding);
    const Size box = {std::clamp(text_size.width + 2 * padding, 1, style.frame_width),
                      std::clamp(text_size.height + 2 * padding, 1, style.frame_height)};
    const Buffer pixels = render(text, style, box, padding);
    GstVideoOverlayRectangle *rectangle = gst_video_overlay_rectangle_new_raw(
        pixels.get(), padding, padding, guint(box.width), guint(box.height),
        GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
    GstVideoOverlayComposition *composition = gst_video_overlay_composition_new(rectangle);
    gst_video_overlay_rectangle_unref(rectangle);
    return composition;
}

} // namespace tvw::gst
