// SPDX-License-Identifier: LGPL-2.1-or-later
// The registry and its look-up. tests/parity/test_registry.py compares all of it with torchvision.
#include "support/suite.h"

#include "base/text.h"
#include "weights/glob.h"

#include <tvw/weights.h>

#include <limits>
#include <sstream>

using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;

START_TEST(every_builder_but_the_extra_has_a_default) {
    ck_assert_uint_eq(tvw::list_models().size(), 121);
    size_t members = 0;
    for (const std::string &name : tvw::list_models()) {
        const tvw::WeightsEnum &weights = tvw::get_model_weights(name);
        assert_text(weights.builder(), name);
        ck_assert(weights.default_member().has_value());
        members += weights.members().size();
    }
    ck_assert_uint_eq(members, 166);
    const auto extra = tvw::list_models("extra");
    ck_assert(extra == std::vector<std::string>{"efficientnet_lite0"});
    ck_assert(!tvw::get_model_weights(extra[0]).default_member());
}
END_TEST

START_TEST(a_member_prints_as_in_python_and_equals_its_alias) {
    const tvw::Weights weights = tvw::get_weight("RegNet_Y_16GF_Weights.DEFAULT");
    std::ostringstream out;
    out << weights;
    assert_text(out.str(), "RegNet_Y_16GF_Weights.IMAGENET1K_V2");
    ck_assert(weights == tvw::get_weight("RegNet_Y_16GF_Weights.IMAGENET1K_V2"));
    ck_assert(!(weights == tvw::get_weight("RegNet_Y_16GF_Weights.IMAGENET1K_V1")));
    ck_assert(weights.aliases() == std::vector<std::string>{"DEFAULT"});
}
END_TEST

START_TEST(categories_are_shared) {
    const auto a = tvw::get_weight("ResNet50_Weights.IMAGENET1K_V1").meta().categories;
    const auto b = tvw::get_weight("ViT_B_16_Weights.IMAGENET1K_V1").meta().categories;
    ck_assert(a == b);
    assert_text(a->at(281), "tabby");
    ck_assert(!tvw::get_weight("VGG16_Weights.IMAGENET1K_FEATURES").meta().categories);
}
END_TEST

START_TEST(look_up_fails_as_in_torchvision) {
    const struct {
        const char *name;
        const char *message;
    } cases[] = {
        {"ResNet50_Weights", "Invalid weight name provided: 'ResNet50_Weights'."},
        {"a.b.c", "Invalid weight name provided: 'a.b.c'."},
        {"X.Y", "The weight enum 'X' for the specific method couldn't be retrieved."},
        {"ResNet50_Weights.imagenet1k_v1", "has no member 'imagenet1k_v1'"},
        {"EfficientNet_Lite0_Weights.DEFAULT", "has no member 'DEFAULT'"},
    };
    for (const auto &each : cases) {
        const auto error = error_of([&] { tvw::get_weight(each.name); });
        ck_assert_msg(error && contains(error->what(), each.message), "%s", each.name);
    }
    const auto error = error_of([] { tvw::get_model_weights("Nope"); });
    assert_text(error->what(), "Unknown model nope");
}
END_TEST

START_TEST(a_name_that_means_nothing_is_answered_with_the_accepted_forms) {
    const auto error = error_of([] { tvw::find_weights("resnet5"); });
    ck_assert(error && error->kind() == tvw::ErrorKind::kNotFound);
    for (const char *part : {"did you mean 'resnet50'", "Enum.MEMBER", ".json", "TVW_WEIGHTS_PATH"})
        ck_assert_msg(contains(error->what(), part), "%s", error->what());
}
END_TEST

START_TEST(a_builder_means_its_default) {
    assert_text(tvw::find_weights("ResNet50").name(), "ResNet50_Weights.IMAGENET1K_V2");
    const auto error = error_of([] { tvw::find_weights("efficientnet_lite0"); });
    ck_assert(error && contains(error->what(), "descriptor"));
}
END_TEST

START_TEST(an_unknown_module_is_an_error) {
    const auto error = error_of([] { tvw::list_models("classfication"); });
    ck_assert(error && contains(error->what(), "classification, detection"));
}
END_TEST

START_TEST(arguments_are_json_or_text) {
    const auto value = [](const char *text) { return tvw::parse_argument(text).second; };
    assert_text(tvw::parse_argument("num_classes=7").first, "num_classes");
    ck_assert(value("n=-7") == tvw::ArgumentValue(int64_t{-7}));
    ck_assert(value("n=0.5") == tvw::ArgumentValue(0.5));
    ck_assert(value("n=true") == tvw::ArgumentValue(true));
    ck_assert(value("n=null") == tvw::ArgumentValue(std::monostate{}));
    ck_assert(value("n=[1, 2]") == tvw::ArgumentValue(std::vector<int64_t>{1, 2}));
    ck_assert(value("n=[1, 0.5]") == tvw::ArgumentValue(std::vector<double>{1, 0.5}));
    ck_assert(value("n=fbgemm") == tvw::ArgumentValue(std::string("fbgemm")));
    ck_assert(value("n=a=b") == tvw::ArgumentValue(std::string("a=b")));
    ck_assert(value("n=") == tvw::ArgumentValue(std::string()));
}
END_TEST

START_TEST(what_no_builder_takes_is_not_an_argument) {
    for (const char *text :
         {"n", "=1", "2n=1", "n m=1", "n={}", "n=[[1]]", "n=[\"a\"]", "n=18446744073709551615"})
        ck_assert_msg(error_of([&] { tvw::parse_argument(text); }).has_value(), "%s", text);
}
END_TEST

START_TEST(globs_are_those_of_python) {
    ck_assert(tvw::glob_match("*net*_v?_*", "mobilenet_v3_large"));
    ck_assert(tvw::glob_match("a[]-]b[!c-e]", "a]bx"));
    ck_assert(tvw::glob_match("[^x]", "^"));
    ck_assert(tvw::glob_match("a[b", "a[b"));
    ck_assert(!tvw::glob_match("a\\*", "a*"));
    ck_assert(tvw::glob_match("", "") && !tvw::glob_match("", "a") && !tvw::glob_match("?", ""));
    const std::string many(40, '*');
    ck_assert(!tvw::glob_match(many + "b", std::string(1000, 'a')));
}
END_TEST

START_TEST(floats_print_as_in_python) {
    const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {255, "255.0"},
        {1e-4, "0.0001"},
        {0.00012, "0.00012"},
        {1e-5, "1e-05"},
        {1e5, "100000.0"},
        {1e16, "1e+16"},
        {1.0 / 3, "0.3333333333333333"},
        {-0.0, "-0.0"},
        {2.5e-300, "2.5e-300"},
        {9007199254740994, "9007199254740994.0"},
        {1.5e22, "1.5e+22"},
    };
    for (const auto &each : cases) {
        tvw::ImageClassification preset;
        preset.mean = {each.value};
        const std::string text = tvw::repr(preset);
        ck_assert_msg(contains(text, "mean=[" + std::string(each.text) + "]"), "%s", text.c_str());
    }
}
END_TEST

START_TEST(only_utf8_without_control_characters_is_shown) {
    ck_assert(tvw::is_utf8("\u00df\u20ac\U0001f600"));
    for (const char *text : {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                             "\xf8\x88\x80\x80\x80", "\xe2\x82"})
        ck_assert_msg(!tvw::is_utf8(text), "%s", text);
    ck_assert(!tvw::is_printable("a\x1b[31m") && !tvw::is_printable("\xc2\x9b") &&
              !tvw::is_printable("\x7f"));
    assert_text(tvw::in_quotes("a\nb\xff"), R"('a\x0ab\xff')");
    assert_text(tvw::shown(std::string(100, 'x')), std::string(80, 'x') + "…");
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "weights",
        {every_builder_but_the_extra_has_a_default,
         a_member_prints_as_in_python_and_equals_its_alias, categories_are_shared,
         look_up_fails_as_in_torchvision,
         a_name_that_means_nothing_is_answered_with_the_accepted_forms, a_builder_means_its_default,
         an_unknown_module_is_an_error, arguments_are_json_or_text,
         what_no_builder_takes_is_not_an_argument, globs_are_those_of_python,
         floats_print_as_in_python, only_utf8_without_control_characters_is_shown});
}
