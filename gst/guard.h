// SPDX-License-Identifier: LGPL-2.1-or-later
// The one door between GStreamer's callbacks and our code: no exception gets through it.
#pragma once

#include <gst/gst.h>

#include <utility>

namespace tvw::gst {

/// What the element was doing; decides the domain of errors that do not say it themselves.
enum class Phase { kStart, kStream };

/// Turns the exception being handled into an error message on the element's bus.
void post_current_exception(GstElement *element, Phase phase) noexcept;

/// Calls `call` for `element`; an exception becomes an element error and the answer `on_error`.
template<typename Result, typename Call>
Result guarded(gpointer element, Phase phase, Result on_error, Call &&call) noexcept {
    try {
        return std::forward<Call>(call)();
    } catch (...) {
        post_current_exception(GST_ELEMENT_CAST(element), phase);
        return on_error;
    }
}

} // namespace tvw::gst
