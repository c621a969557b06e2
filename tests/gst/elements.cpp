// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elements.h"

#include <algorithm>
#include <iterator>

namespace tvw::test {

namespace {

/// The plugin that was built, loaded here rather than found: GStreamer's scanner, a program of its
/// own, could not load one that is built with sanitizers.
bool load_plugin() {
    const char *file = g_getenv("TVW_TEST_PLUGIN");
    GError *error = nullptr;
    const Owned<GstPlugin> plugin(gst_plugin_load_file(file != nullptr ? file : "", &error));
    const Owned<GError> owned_error(error);
    if (error)
        g_printerr("TVW_TEST_PLUGIN: %s\n", error->message);
    return plugin != nullptr;
}

} // namespace

std::string model_file(const std::string &name) {
    const char *folder = g_getenv("TVW_TEST_MODEL");
    ck_assert_msg(folder != nullptr, "TVW_TEST_MODEL names no folder");
    return std::string(folder) + "/" + name;
}

Bus::Bus(GstElement *element)
    : element_(GST_ELEMENT(gst_object_ref(element))), bus_(gst_bus_new()) {
    gst_element_set_bus(element, bus_.get());
}

Bus::~Bus() {
    gst_element_set_bus(element_.get(), nullptr);
}

std::vector<Owned<GstMessage>> Bus::take(GstMessageType type) {
    while (GstMessage *message = gst_bus_pop(bus_.get()))
        others_.emplace_back(message);
    const auto first =
        std::stable_partition(others_.begin(), others_.end(), [type](const auto &message) {
            return GST_MESSAGE_TYPE(message.get()) != type;
        });
    std::vector<Owned<GstMessage>> result(std::make_move_iterator(first),
                                          std::make_move_iterator(others_.end()));
    others_.erase(first, others_.end());
    return result;
}

std::vector<Complaint> Bus::complaints(GstMessageType type) {
    std::vector<Complaint> result;
    for (const auto &message : take(type)) {
        GError *error = nullptr;
        gchar *debug = nullptr;
        if (type == GST_MESSAGE_ERROR) {
            gst_message_parse_error(message.get(), &error, &debug);
        } else {
            gst_message_parse_warning(message.get(), &error, &debug);
        }
        const Owned<GError> owned_error(error);
        const Owned<gchar> owned_debug(debug);
        result.push_back(
            {error->domain, error->code, error->message, debug != nullptr ? debug : ""});
    }
    return result;
}

void set(GstElement *element, const char *property, const std::string &value) {
    gst_util_set_object_arg(G_OBJECT(element), property, value.c_str());
}

Owned<GstElement> make_element(const char *factory, const Settings &settings) {
    GstElement *element = gst_element_factory_make(factory, nullptr);
    ck_assert_msg(element != nullptr, "there is no element %s", factory);
    Owned<GstElement> owned(GST_ELEMENT(gst_object_ref_sink(element)));
    for (const auto &[property, value] : settings)
        set(element, property, value);
    return owned;
}

Stage::Stage(const char *factory, const Settings &settings)
    : element_(make_element(factory, settings)),
      bus_(std::make_unique<Bus>(element_.get())),
      harness_(gst_harness_new_with_element(element_.get(), "sink", "src")) {}

void Stage::set_caps(const std::string &caps) {
    gst_harness_set_src_caps_str(harness_.get(), caps.c_str());
}

Buffer Stage::run(Buffer buffer) {
    ck_assert_int_eq(gst_harness_push(harness_.get(), buffer.release()), GST_FLOW_OK);
    Buffer result(gst_harness_try_pull(harness_.get()));
    ck_assert_ptr_nonnull(result.get());
    return result;
}

Settings with_model(const Settings &others) {
    Settings settings{{"weights", model_file("model.json")}};
    settings.insert(settings.end(), others.begin(), others.end());
    return settings;
}

int run_element_suite(const char *name, std::initializer_list<const TTest *> tests) {
    gst_init(nullptr, nullptr);
    const int status = load_plugin() ? run_suite(name, tests) : 1;
    gst_deinit();
    return status;
}

} // namespace tvw::test
