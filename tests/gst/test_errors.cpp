// SPDX-License-Identifier: LGPL-2.1-or-later
// What cannot start says why, once, and can be put right.
#include "gst/frames.h"
#include "gst/results.h"

#include "support/temporary_folder.h"

#include <filesystem>

using namespace tvw::test;

namespace {

/// Where an error belongs, as GST_ELEMENT_ERROR writes it.
struct Place {
    GQuark domain;
    int code;
};
Place not_found() {
    return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND};
}
Place settings_error() {
    return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS};
}
Place init_error() {
    return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT};
}

/// The element refuses to start with one error that holds all of `parts`, goes back to NULL, and
/// works once its settings are right.
void assert_refused(const Settings &settings, const Place &place,
                    std::initializer_list<std::string> parts) {
    const auto element = make_element("tvwclassify", settings);
    Bus bus(element.get());
    ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_PLAYING),
                     GST_STATE_CHANGE_FAILURE);
    const auto errors = bus.errors();
    ck_assert_uint_eq(errors.size(), 1);
    for (const std::string &part : parts) {
        ck_assert_msg(contains(errors[0].text, part), "no \"%s\" in: %s", part.c_str(),
                      errors[0].text.c_str());
    }
    ck_assert_msg(errors[0].domain == place.domain && errors[0].code == place.code, "%s %d: %s",
                  g_quark_to_string(errors[0].domain), errors[0].code, errors[0].text.c_str());
    ck_assert(!errors[0].debug.empty());
    ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_NULL),
                     GST_STATE_CHANGE_SUCCESS);

    for (const auto &[property, value] : settings)
        g_object_set(element.get(), property, nullptr, nullptr);
    for (const auto &[property, value] : with_model({{"device", "cpu"}, {"precision", "fp32"}}))
        set(element.get(), property, value);
    ck_assert_int_eq(gst_element_set_state(element.get(), GST_STATE_PLAYING),
                     GST_STATE_CHANGE_SUCCESS);
    ck_assert(bus.errors().empty());
    gst_element_set_state(element.get(), GST_STATE_NULL);
}

/// A descriptor of the test model with one text replaced by another.
std::string changed_descriptor(const std::string &from, const std::string &to) {
    gchar *content = nullptr;
    ck_assert(g_file_get_contents(model_file("model.json").c_str(), &content, nullptr, nullptr));
    std::string text = Owned<gchar>(content).get();
    const size_t place = text.find(from);
    ck_assert(place != std::string::npos);
    return text.replace(place, from.size(), to);
}

} // namespace

START_TEST(weights_or_model_must_be_chosen_but_not_both) {
    assert_refused({}, settings_error(), {"\"weights\"", "\"model\""});
    assert_refused(with_model({{"model", "resnet18"}}), settings_error(),
                   {"\"weights\"", "\"model\""});
}
END_TEST

START_TEST(unknown_names_are_repeated) {
    assert_refused({{"model", "resnet51"}}, not_found(), {"resnet51"});
    assert_refused({{"weights", "ResNet50_Weights.NOPE"}}, not_found(), {"NOPE"});
    assert_refused({{"weights", "/nowhere/model.json"}}, not_found(), {"/nowhere/model.json"});
}
END_TEST

START_TEST(a_checkpoint_that_is_missing_is_named) {
    assert_refused(with_model({{"checkpoint", "/nowhere/best.pth"}}), not_found(),
                   {"/nowhere/best.pth"});
    const TemporaryFolder folder;
    const auto descriptor =
        folder.write("mine.json", changed_descriptor("model.safe", "gone.safe"));
    assert_refused({{"weights", descriptor.string()}}, not_found(), {"gone.safetensors"});
}
END_TEST

START_TEST(a_checkpoint_that_is_damaged_is_named) {
    const TemporaryFolder folder;
    const auto garbage = folder.write("garbage.pth", "this is no checkpoint");
    assert_refused(with_model({{"checkpoint", garbage.string()}}), init_error(), {"garbage.pth"});
    const auto half = folder.path() / "half.safetensors";
    std::filesystem::copy_file(model_file("model.safetensors"), half);
    std::filesystem::permissions(half, std::filesystem::perms::owner_all);
    std::filesystem::resize_file(half, std::filesystem::file_size(half) / 2);
    assert_refused(with_model({{"checkpoint", half.string()}}), init_error(), {"half.safetensors"});
}
END_TEST

START_TEST(a_checkpoint_with_nan_is_refused_with_the_layer) {
    assert_refused(with_model({{"checkpoint", model_file("nan.safetensors")}}), init_error(),
                   {"features.0.0.weight", "nan"});
}
END_TEST

START_TEST(a_checkpoint_of_another_model_is_refused_with_the_layer) {
    const TemporaryFolder folder;
    const auto descriptor = folder.write("mine.json", changed_descriptor("v3_small", "v3_large"));
    assert_refused(
        {{"weights", descriptor.string()}, {"checkpoint", model_file("model.safetensors")}},
        init_error(), {"features."});
}
END_TEST

START_TEST(a_wrong_descriptor_is_named_with_its_key) {
    const TemporaryFolder folder;
    const auto unknown_key = folder.write("odd.json", changed_descriptor("{", "{\"colour\": 1,"));
    assert_refused({{"weights", unknown_key.string()}}, settings_error(), {"odd.json", "colour"});
    const auto categories = folder.write("short.json", changed_descriptor("\"ant\", ", ""));
    assert_refused({{"weights", categories.string()}}, init_error(), {"short.json", "9", "10"});
    const auto no_json = folder.write("none.json", "weights: none");
    assert_refused({{"weights", no_json.string()}}, init_error(), {"none.json"});
}
END_TEST

START_TEST(a_device_that_is_no_device_is_repeated) {
    assert_refused(with_model({{"device", "abacus"}}), settings_error(), {"abacus"});
}
END_TEST

START_TEST(a_gpu_that_is_not_there_is_refused_with_what_to_try) {
    setenv("CUDA_VISIBLE_DEVICES", "", 1); // wherever this runs
    assert_refused(with_model({{"device", "cuda:1"}}), init_error(), {"cuda:1", "\"cpu\""});
}
END_TEST

START_TEST(a_precision_that_the_cpu_lacks_is_refused_with_what_to_try) {
    assert_refused(with_model({{"device", "cpu"}, {"precision", "fp16"}}), init_error(),
                   {"fp16", "\"fp32\""});
    assert_refused(with_model({{"precision", "fp8"}}), settings_error(), {"fp8"});
}
END_TEST

int main() {
    return run_element_suite(
        "errors", {weights_or_model_must_be_chosen_but_not_both, unknown_names_are_repeated,
                   a_checkpoint_that_is_missing_is_named, a_checkpoint_that_is_damaged_is_named,
                   a_checkpoint_with_nan_is_refused_with_the_layer,
                   a_checkpoint_of_another_model_is_refused_with_the_layer,
                   a_wrong_descriptor_is_named_with_its_key, a_device_that_is_no_device_is_repeated,
                   a_gpu_that_is_not_there_is_refused_with_what_to_try,
                   a_precision_that_the_cpu_lacks_is_refused_with_what_to_try});
}
