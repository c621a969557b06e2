// SPDX-License-Identifier: LGPL-2.1-or-later
// What the tests of the elements share: owners for GStreamer's objects, an element between two
// pads of the test's own, and what it says on the bus.
#pragma once

#include "support/suite.h"

#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tvw::test {

struct Unref {
    void operator()(gpointer object) const { gst_object_unref(object); }
    void operator()(GstBuffer *buffer) const { gst_buffer_unref(buffer); }
    void operator()(GstCaps *caps) const { gst_caps_unref(caps); }
    void operator()(GstMessage *message) const { gst_message_unref(message); }
    void operator()(GstQuery *query) const { gst_query_unref(query); }
    void operator()(GError *error) const { g_error_free(error); }
    void operator()(gchar *text) const { g_free(text); }
    void operator()(GstHarness *harness) const { gst_harness_teardown(harness); }
};
template<typename T>
using Owned = std::unique_ptr<T, Unref>;
using Buffer = Owned<GstBuffer>;

/// Property names with their values as gst-launch would read them.
using Settings = std::vector<std::pair<const char *, std::string>>;

/// A file that write_model made.
std::string model_file(const std::string &name);

/// Errors and warnings as they came, in the words of their users' and debug texts.
struct Complaint {
    GQuark domain;
    int code;
    std::string text;
    std::string debug;
};

/// An element's bus, read after the fact.
class Bus {
public:
    explicit Bus(GstElement *element);
    ~Bus();
    Bus(const Bus &) = delete;
    Bus &operator=(const Bus &) = delete;

    /// The messages of that type so far; each is given once.
    std::vector<Owned<GstMessage>> take(GstMessageType type);
    std::vector<Complaint> errors() { return complaints(GST_MESSAGE_ERROR); }
    std::vector<Complaint> warnings() { return complaints(GST_MESSAGE_WARNING); }

private:
    std::vector<Complaint> complaints(GstMessageType type);

    Owned<GstElement> element_;
    Owned<GstBus> bus_;
    std::vector<Owned<GstMessage>> others_; ///< of types that nobody has asked for yet
};

/// A new element with properties set, not yet started.
Owned<GstElement> make_element(const char *factory, const Settings &settings);
void set(GstElement *element, const char *property, const std::string &value);

/// A playing element whose pads the test holds.
class Stage {
public:
    explicit Stage(const char *factory, const Settings &settings = {});

    GstHarness *harness() { return harness_.get(); }
    GstElement *element() { return element_.get(); }
    Bus &bus() { return *bus_; }

    void set_caps(const std::string &caps);
    /// Pushes a buffer and answers what comes out for it.
    Buffer run(Buffer buffer);

private:
    Owned<GstElement> element_;
    std::unique_ptr<Bus> bus_;
    Owned<GstHarness> harness_;
};

/// Settings for tvwclassify with write_model's model, and others.
Settings with_model(const Settings &others = {});

/// Starts GStreamer, loads the plugin, runs the tests, and ends GStreamer, which is when its leak
/// tracer reports.
int run_element_suite(const char *name, std::initializer_list<const TTest *> tests);

} // namespace tvw::test
