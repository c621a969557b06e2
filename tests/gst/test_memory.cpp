// SPDX-License-Identifier: LGPL-2.1-or-later
// Which memory frames may lie in: a GPU's where the model runs there. What needs a GPU is not
// tested here.
#include "gst/frames.h"
#include "gst/results.h"

#include <array>
#include <string>

using namespace tvw::test;

namespace {

constexpr Layout kLayout{GST_VIDEO_FORMAT_NV12};
/// Devices for which a model runs on the CPU, wherever this runs.
constexpr std::array kCpuDevices = {"cpu", "auto"};

void hide_gpus() {
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
}

std::string cuda_caps() {
    std::string caps = kLayout.caps();
    const std::string name = "video/x-raw";
    return caps.replace(0, name.size(), name + "(memory:CUDAMemory)");
}

/// A pad of a tvwclassify that nothing is linked to.
class Element {
public:
    explicit Element(const char *device)
        : element_(make_element("tvwclassify", with_model({{"device", device}}))) {
        ck_assert(go_to(GST_STATE_READY));
    }
    ~Element() { go_to(GST_STATE_NULL); }

    bool go_to(GstState state) {
        return gst_element_set_state(element_.get(), state) != GST_STATE_CHANGE_FAILURE;
    }
    Owned<GstPad> pad(const char *name = "sink") {
        return Owned<GstPad>(gst_element_get_static_pad(element_.get(), name));
    }
    bool accepts(const std::string &text, const char *name = "sink") {
        const Owned<GstCaps> caps(gst_caps_from_string(text.c_str()));
        const Owned<GstCaps> offered(gst_pad_query_caps(pad(name).get(), nullptr));
        const bool offers = gst_caps_can_intersect(offered.get(), caps.get());
        const bool takes = gst_pad_query_accept_caps(pad(name).get(), caps.get());
        ck_assert_msg(offers == takes, "%s is %soffered, but %staken", text.c_str(),
                      offers ? "" : "not ", takes ? "" : "not ");
        return takes;
    }

private:
    Owned<GstElement> element_;
};

} // namespace

START_TEST(pads_say_before_the_start_what_may_be) {
    hide_gpus();
    for (const char *pad : {"sink", "src"}) {
        Element on_auto("auto");
        ck_assert(on_auto.accepts(kLayout.caps(), pad));
        ck_assert(on_auto.accepts(cuda_caps(), pad) == TVW_KNOWS_CUDA_MEMORY);
        Element on_cpu("cpu");
        ck_assert(on_cpu.accepts(kLayout.caps(), pad) && !on_cpu.accepts(cuda_caps(), pad));
    }
}
END_TEST

START_TEST(a_model_on_the_cpu_is_offered_system_memory_alone) {
    hide_gpus();
    for (const char *device : kCpuDevices) {
        Element element(device);
        ck_assert(element.go_to(GST_STATE_PAUSED));
        for (const char *pad : {"sink", "src"}) {
            ck_assert(element.accepts(kLayout.caps(), pad));
            ck_assert(!element.accepts(cuda_caps(), pad));
        }
        const Owned<GstCaps> offered(gst_pad_query_caps(element.pad().get(), nullptr));
        const Owned<gchar> text(gst_caps_to_string(offered.get()));
        ck_assert_msg(!contains(text.get(), "CUDAMemory"), "%s", text.get());
    }
}
END_TEST

START_TEST(another_start_asks_again) {
    hide_gpus();
    Element element("auto");
    for (int i = 0; i < 2; ++i) {
        ck_assert(element.accepts(cuda_caps()) == TVW_KNOWS_CUDA_MEMORY);
        ck_assert(element.go_to(GST_STATE_PAUSED));
        ck_assert(!element.accepts(cuda_caps()));
        ck_assert(element.go_to(GST_STATE_READY));
    }
}
END_TEST

START_TEST(a_filter_that_asks_for_a_gpu_s_memory_stops_the_stream_with_an_error) {
    hide_gpus();
    if (!TVW_KNOWS_CUDA_MEMORY)
        return; // such elements cannot even be linked
    GError *error = nullptr;
    const std::string description =
        "appsrc name=source caps=\"" + cuda_caps() + "\"" +
        " ! tvwclassify device=auto weights=" + model_file("model.json") +
        " ! fakesink async=false";
    const Owned<GstElement> pipeline(gst_parse_launch(description.c_str(), &error));
    ck_assert_msg(error == nullptr, "%s", error ? error->message : "");
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    const Owned<GstElement> source(gst_bin_get_by_name(GST_BIN(pipeline.get()), "source"));
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source.get(), "push-buffer",
                          make_frame(Picture::flat(kRed), kLayout).get(), &flow);
    const Owned<GstBus> bus(gst_element_get_bus(pipeline.get()));
    const Owned<GstMessage> message(
        gst_bus_timed_pop_filtered(bus.get(), 30 * GST_SECOND, GST_MESSAGE_ERROR));
    ck_assert(message != nullptr);
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}
END_TEST

START_TEST(without_a_gpu_no_context_is_offered) {
    hide_gpus();
    for (const char *device : kCpuDevices) {
        Element element(device);
        for (const char *type : {"gst.cuda.context", "gst.gl.GLDisplay"}) {
            const Owned<GstQuery> query(gst_query_new_context(type));
            ck_assert(!gst_pad_query(element.pad().get(), query.get()));
        }
    }
}
END_TEST

START_TEST(a_device_that_is_no_device_has_its_error_at_the_start_alone) {
    const auto element = make_element("tvwclassify", with_model({{"device", "abacus"}}));
    Bus bus(element.get());
    ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_READY),
                     GST_STATE_CHANGE_SUCCESS);
    const Owned<GstPad> pad(gst_element_get_static_pad(element.get(), "sink"));
    const Owned<GstCaps> offered(gst_pad_query_caps(pad.get(), nullptr));
    ck_assert(!gst_caps_is_empty(offered.get()) && bus.errors().empty());
    ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_PAUSED),
                     GST_STATE_CHANGE_FAILURE);
    ck_assert_uint_eq(bus.errors().size(), 1);
    gst_element_set_state(element.get(), GST_STATE_NULL);
}
END_TEST

int main() {
    return run_element_suite(
        "memory", {pads_say_before_the_start_what_may_be,
                   a_model_on_the_cpu_is_offered_system_memory_alone, another_start_asks_again,
                   a_filter_that_asks_for_a_gpu_s_memory_stops_the_stream_with_an_error,
                   without_a_gpu_no_context_is_offered,
                   a_device_that_is_no_device_has_its_error_at_the_start_alone});
}
