// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"

#include <tvw/models.h>

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <future>
#include <sstream>

using tvw::ResNet50_Weights;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;

namespace {

template<typename T>
std::string printed(const T &value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

at::Tensor picture() {
    return at::full({1, 3, 32, 32}, 0.5);
}

at::Tensor tensor_of(const tvw::Model &model, std::string_view key) {
    for (const auto &[name, tensor] : model.state_dict()) {
        if (name == key)
            return tensor;
    }
    ck_abort_msg("no such key");
}

tvw::Model small_model() {
    return tvw::squeezenet1_1({.arguments = {{"num_classes", 4}}});
}

} // namespace

START_TEST(enums_are_constants_in_order_of_definition) {
    constexpr auto members = ResNet50_Weights::members();
    static_assert(members.size() == 2);
    static_assert(members[0] == ResNet50_Weights::IMAGENET1K_V1);
    static_assert(ResNet50_Weights::DEFAULT == ResNet50_Weights::IMAGENET1K_V2);
    static_assert(!(ResNet50_Weights::DEFAULT == ResNet50_Weights::IMAGENET1K_V1));
    static_assert(ResNet50_Weights::DEFAULT.name() == "ResNet50_Weights.IMAGENET1K_V2");
    std::string names;
    for (const auto member : ResNet50_Weights::members())
        names += printed(member) + " ";
    assert_text(names, "ResNet50_Weights.IMAGENET1K_V1 ResNet50_Weights.IMAGENET1K_V2 ");
}
END_TEST

START_TEST(a_member_is_the_weights_of_its_name) {
    const tvw::Weights weights = ResNet50_Weights::DEFAULT;
    ck_assert(weights == tvw::get_weight("ResNet50_Weights.IMAGENET1K_V2"));
    ck_assert(ResNet50_Weights::DEFAULT == tvw::get_weight("ResNet50_Weights.DEFAULT"));
    ck_assert(&ResNet50_Weights::DEFAULT.meta() == &weights.meta());
    const tvw::Transforms transforms = ResNet50_Weights::DEFAULT.transforms({.crop_size = {320}});
    ck_assert(contains(printed(transforms), "crop_size=[320]"));
    ck_assert(contains(printed(ResNet50_Weights::DEFAULT.transforms()), "crop_size=[224]"));
}
END_TEST

START_TEST(a_function_and_its_name_have_the_same_weights) {
    ck_assert(tvw::get_model_weights(tvw::resnet50) == tvw::get_model_weights("resnet50"));
    assert_text(printed(tvw::get_model_weights(tvw::resnet50)), "<enum 'ResNet50_Weights'>");
    const auto &quantized = tvw::get_model_weights(tvw::quantization::resnet50);
    assert_text(quantized.name(), "ResNet50_QuantizedWeights");
    ck_assert(!(quantized == tvw::get_model_weights("resnet50")));
    assert_text(tvw::get_model_weights(tvw::segmentation::fcn_resnet50).name(),
                "FCN_ResNet50_Weights");
}
END_TEST

START_TEST(weights_are_none_a_name_or_a_member) {
    const tvw::WeightsEnum &known = ResNet50_Weights::definition();
    const auto resolved = [&](const tvw::WeightsArgument &argument) {
        const auto weights = argument.resolve(known);
        return weights ? weights->name() : "None";
    };
    assert_text(resolved({}), "None");
    assert_text(resolved(std::nullopt), "None");
    assert_text(resolved("DEFAULT"), "ResNet50_Weights.IMAGENET1K_V2");
    assert_text(resolved("ResNet50_Weights.IMAGENET1K_V1"), "ResNet50_Weights.IMAGENET1K_V1");
    assert_text(resolved(ResNet50_Weights::DEFAULT), "ResNet50_Weights.IMAGENET1K_V2");
    assert_text(resolved(tvw::get_weight("ResNet50_Weights.IMAGENET1K_V1")),
                "ResNet50_Weights.IMAGENET1K_V1");
    const auto error = error_of([&] { resolved(tvw::ResNet18_Weights::DEFAULT); });
    ck_assert(error && contains(error->what(), "expected ResNet50_Weights"));
}
END_TEST

START_TEST(builders_are_found_in_any_case_of_letters) {
    assert_text(tvw::get_model_builder("ResNet18").name(), "resnet18");
    assert_text(tvw::get_model("SqueezeNet1_1").name(), "squeezenet1_1");
    const auto error = error_of([] { tvw::get_model_builder("nope"); });
    ck_assert(error && error->kind() == tvw::ErrorKind::kNotFound);
    assert_text(error->what(), "Unknown model nope");
}
END_TEST

START_TEST(pretrained_names_what_to_write_instead) {
    const auto message = [](const char *builder, const char *argument) {
        const auto error = error_of([&] {
            tvw::get_model(builder, {.arguments = {{argument, true}}});
        });
        ck_assert(error && error->kind() == tvw::ErrorKind::kInvalidArgument);
        return std::string(error->what());
    };
    ck_assert(contains(message("resnet50", "pretrained"), ".weights = ResNet50_Weights::DEFAULT"));
    ck_assert(contains(message("fcn_resnet50", "pretrained"), "FCN_ResNet50_Weights::DEFAULT"));
    ck_assert(contains(message("fcn_resnet50", "pretrained_backbone"),
                       ".weights_backbone = ResNet50_Weights::DEFAULT"));
    ck_assert(contains(message("ssdlite320_mobilenet_v3_large", "pretrained_backbone"),
                       ".weights_backbone = MobileNet_V3_Large_Weights::DEFAULT"));
}
END_TEST

START_TEST(what_cannot_be_built_says_so_before_anything_is_fetched) {
    const auto kind = [](const char *builder, const tvw::ModelOptions &options) {
        const auto error = error_of([&] { tvw::get_model(builder, options); });
        ck_assert(error);
        return error->kind();
    };
    ck_assert(kind("fcn_resnet50", {}) == tvw::ErrorKind::kNotSupported);
    ck_assert(kind("resnet50", {.weights = "DEFAULT", .arguments = {{"num_clases", 3}}}) ==
              tvw::ErrorKind::kInvalidArgument);
    ck_assert(kind("resnet50", {.weights = "DEFAULT", .arguments = {{"num_classes", 7}}}) ==
              tvw::ErrorKind::kInvalidArgument);
}
END_TEST

START_TEST(a_seed_repeats_the_sequence_and_not_the_model) {
    tvw::manual_seed(7);
    const at::Tensor first = small_model()(picture());
    const at::Tensor second = small_model()(picture());
    tvw::manual_seed(7);
    ck_assert(at::equal(first, small_model()(picture())));
    ck_assert(at::equal(second, small_model()(picture())));
    ck_assert(!at::equal(first, second));
    tvw::manual_seed(8);
    ck_assert(!at::equal(first, small_model()(picture())));
}
END_TEST

START_TEST(copies_are_handles_to_one_network) {
    tvw::Model model = tvw::resnet18();
    const tvw::Model copy = model;
    tensor_of(copy, "fc.weight").zero_();
    tensor_of(copy, "fc.bias").fill_(3);
    ck_assert(at::equal(model.eval()(picture()), at::full({1, 1000}, 3.0)));
}
END_TEST

START_TEST(changes_in_place_act_from_the_next_call_on) {
    const tvw::Model model = tvw::resnet18();
    const at::Tensor before = model(picture());
    // The plan that has run holds a copy of this one, multiplied by its batch norm.
    const at::Tensor weight = tensor_of(model, "layer1.0.conv1.weight");
    ck_assert(at::equal(model(picture()), before));
    const at::Tensor kept = weight.clone();
    weight.mul_(-1);
    ck_assert(!at::equal(model(picture()), before));
    weight.copy_(kept);
    ck_assert(at::equal(model(picture()), before));
    {
        const c10::InferenceMode inference;
        tensor_of(model, "bn1.running_mean").add_(1);
    }
    ck_assert(!at::equal(model(picture()), before));
}
END_TEST

START_TEST(loading_copies_and_keeps_handles_alive) {
    tvw::Model source = tvw::resnet18();
    tvw::Model model = tvw::resnet18();
    const at::Tensor before = model(picture());
    const at::Tensor bias = tensor_of(model, "fc.bias");
    model.load_state_dict(source.state_dict());
    ck_assert(at::equal(model(picture()), source(picture())));
    ck_assert(!at::equal(model(picture()), before));
    ck_assert(at::equal(bias, tensor_of(source, "fc.bias")));
    tensor_of(source, "fc.bias").fill_(9);
    ck_assert(!at::equal(bias, tensor_of(source, "fc.bias")));
    const at::Tensor loaded = model(picture());
    bias.add_(1);
    ck_assert(!at::equal(model(picture()), loaded));
}
END_TEST

START_TEST(an_input_that_is_not_one_is_named) {
    const tvw::Model model = small_model();
    const auto message = [&](const at::Tensor &input) {
        const auto error = error_of([&] { model(input); });
        ck_assert(error && error->kind() == tvw::ErrorKind::kInvalidArgument);
        return std::string(error->what());
    };
    ck_assert(contains(message({}), "undefined"));
    ck_assert(contains(message(at::ones({1, 3, 32, 32}, at::kByte)), "Byte, expected float32"));
    ck_assert(contains(message(at::ones({3, 32, 32})), "[N, 3, H, W]"));
    ck_assert(contains(message(at::ones({1, 4, 32, 32})), "[N, 3, H, W]"));
    ck_assert(contains(message(at::ones({0, 3, 32, 32})), "[N, 3, H, W]"));
    ck_assert(contains(message(at::ones({1, 3, 2, 2})), "too small"));
}
END_TEST

START_TEST(any_thread_may_call) {
    const tvw::Model model = small_model();
    const at::Tensor expected = model(picture());
    const auto ask = [&] { return at::equal(model(picture()), expected); };
    std::array<std::future<bool>, 4> answers;
    for (auto &answer : answers)
        answer = std::async(std::launch::async, ask);
    for (auto &answer : answers)
        ck_assert(answer.get());
}
END_TEST

START_TEST(devices_are_those_of_this_build) {
    tvw::Model model = small_model();
    ck_assert_ptr_eq(&model.to("cpu"), &model);
    ck_assert(error_of([&] { model.to("cuda:0"); })->kind() == tvw::ErrorKind::kNotSupported);
    ck_assert(error_of([&] { model.to("tpu"); })->kind() == tvw::ErrorKind::kInvalidArgument);
}
END_TEST

START_TEST(a_host_tensor_is_a_tensor_of_the_same_bytes) {
    tvw::HostTensor host = tvw::HostTensor::zeros(tvw::DType::kFloat32, {2, 3});
    at::Tensor tensor = host;
    tensor.fill_(2);
    ck_assert_float_eq(host.values<float>()[5], 2);
    const auto *bytes = host.storage()->data();
    host = {};
    ck_assert_ptr_eq(tensor.const_data_ptr(), bytes);
    ck_assert(at::equal(tensor, at::full({2, 3}, 2.0)));

    const tvw::HostTensor whole = tvw::HostTensor::zeros(tvw::DType::kUInt8, {2, 3, 4});
    const tvw::HostTensor view(tvw::DType::kUInt8, {4, 3}, {1, 4}, 12, whole.storage());
    const at::Tensor strided = view;
    ck_assert(strided.sizes() == at::IntArrayRef({4, 3}));
    ck_assert(strided.strides() == at::IntArrayRef({1, 4}));
    ck_assert_ptr_eq(strided.const_data_ptr(), whole.storage()->data() + 12);
}
END_TEST

START_TEST(tensors_that_libtorch_cannot_view_are_refused) {
    const auto kind = [](const tvw::HostTensor &host) {
        return error_of([&] { return at::Tensor(host); })->kind();
    };
    ck_assert(kind(tvw::HostTensor::zeros(tvw::DType::kQInt8, {1})) ==
              tvw::ErrorKind::kNotSupported);
    ck_assert(kind(tvw::HostTensor::shape_only(tvw::DType::kFloat32, {1})) ==
              tvw::ErrorKind::kNotSupported);
}
END_TEST

START_TEST(presets_say_what_they_take) {
    const tvw::Transforms &transforms = ResNet50_Weights::DEFAULT.transforms();
    const auto message = [](const auto &call) {
        const auto error = error_of(call);
        ck_assert(error && error->kind() == tvw::ErrorKind::kInvalidArgument);
        return std::string(error->what());
    };
    const at::Tensor image = at::zeros({3, 8, 8}, at::kByte);
    ck_assert(contains(message([&] {
                           transforms(at::zeros({1, 8, 8}));
                       }),
                       "ImageClassification takes uint8 or float [..., 3, H, W], got Float"));
    ck_assert(contains(message([&] { transforms(at::zeros({3, 8, 8}, at::kInt)); }), "got Int"));
    ck_assert(contains(message([&] { transforms(at::zeros({3, 0, 8})); }), "[3, 0, 8]"));
    ck_assert(contains(message([&] { transforms(at::Tensor()); }), "undefined"));
    ck_assert(contains(message([&] { transforms(image, image); }), "takes one image"));
    ck_assert(contains(message([&] { tvw::Raft_Small_Weights::DEFAULT.transforms()(image); }),
                       "takes two images"));
    ck_assert(contains(message([&] { ResNet50_Weights::DEFAULT.transforms({.std = {0}})(image); }),
                       "std must not be zero"));
    ck_assert(contains(message([&] { tvw::R3D_18_Weights::DEFAULT.transforms()(image); }),
                       "takes a clip"));
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "api", {enums_are_constants_in_order_of_definition, a_member_is_the_weights_of_its_name,
                a_function_and_its_name_have_the_same_weights, weights_are_none_a_name_or_a_member,
                builders_are_found_in_any_case_of_letters, pretrained_names_what_to_write_instead,
                what_cannot_be_built_says_so_before_anything_is_fetched,
                a_seed_repeats_the_sequence_and_not_the_model, copies_are_handles_to_one_network,
                changes_in_place_act_from_the_next_call_on, loading_copies_and_keeps_handles_alive,
                an_input_that_is_not_one_is_named, any_thread_may_call,
                devices_are_those_of_this_build, a_host_tensor_is_a_tensor_of_the_same_bytes,
                tensors_that_libtorch_cannot_view_are_refused, presets_say_what_they_take});
}
