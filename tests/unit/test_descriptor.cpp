// SPDX-License-Identifier: LGPL-2.1-or-later
// Users' descriptors: what is read, and that nothing a stranger writes does harm.
#include "support/suite.h"
#include "support/temporary_folder.h"

#include <tvw/weights.h>

#include <sys/stat.h>

#include <cstdlib>

using tvw::ErrorKind;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;
using tvw::test::TemporaryFolder;

namespace {

constexpr const char *kTransforms =
    R"("transforms": {"preset": "ImageClassification", "crop_size": 224})";

/// A small descriptor with further keys.
std::string descriptor(const std::string &keys = "") {
    return R"({"builder": "resnet50", "checkpoint": "best.pth", )" + std::string(kTransforms) +
           (keys.empty() ? "" : ", " + keys) + "}";
}

tvw::Error failure(const std::string &content) {
    const TemporaryFolder folder;
    const auto error = error_of([&] { tvw::load_descriptor(folder.write("best.json", content)); });
    ck_assert_msg(error.has_value(), "accepted: %.200s", content.c_str());
    ck_assert_msg(contains(error->what(), "best.json"), "%s", error->what());
    return *error;
}

/// The descriptor is refused as invalid and the message says `part`.
void assert_refused(const std::string &content, const std::string &part) {
    const tvw::Error error = failure(content);
    ck_assert_msg(error.kind() == ErrorKind::kInvalidArgument && contains(error.what(), part), "%s",
                  error.what());
}

} // namespace

START_TEST(a_fine_tuned_checkpoint_is_read) {
    const TemporaryFolder folder;
    folder.write("flowers.txt", "\xef\xbb\xbfrose\r\ntulip\r\nno\u00ebl");
    const auto file = folder.write("flowers.json", R"({
        "$schema": "descriptor.schema.json",
        "builder": "ResNet50", "arguments": {"num_classes": 3, "width_per_group": 128},
        "checkpoint": "best.pth", "sha256": "0123456789abcdef",
        "categories": "flowers.txt", "strip_prefix": "module.", "state_dict_key": "model_ema",
        "transforms": {"preset": "ImageClassification", "crop_size": 224, "resize_size": [232],
                       "interpolation": "bicubic", "antialias": null},
        "meta": {"num_params": 5, "categories": null, "_metrics": {"mine": {"acc@1": 99.5}}}})");
    const tvw::Weights weights = tvw::load_descriptor(file);
    assert_text(weights.name(), "flowers");
    assert_text(weights.builder(), "resnet50");
    ck_assert(weights.arguments().at("num_classes") == tvw::ArgumentValue(int64_t{3}));
    ck_assert(*weights.checkpoint() == folder.path() / "best.pth");
    assert_text(weights.sha256(), "0123456789abcdef");
    assert_text(weights.state_dict_key(), "model_ema");
    assert_text(weights.strip_prefix(), "module.");
    ck_assert(*weights.meta().categories ==
              (std::vector<std::string>{"rose", "tulip", "no\u00ebl"}));
    assert_text(weights.meta_json(), R"({"num_params":5,"categories":["rose","tulip","noël"],)"
                                     R"("_metrics":{"mine":{"acc@1":99.5}}})");
    const auto &preset = std::get<tvw::ImageClassification>(weights.transforms());
    ck_assert(preset.resize_size == std::vector<int64_t>{232} && !preset.antialias);
    ck_assert(preset.mean == (std::vector<double>{0.485, 0.456, 0.406}));
}
END_TEST

START_TEST(a_url_may_stand_for_the_file) {
    const TemporaryFolder folder;
    const auto file =
        folder.write("a.json", R"({"builder": "resnet18", "url": "https://x.org/a.pth",
        "transforms": {"preset": "OpticalFlow"}})");
    assert_text(tvw::load_descriptor(file).url(), "https://x.org/a.pth");
    ck_assert(!tvw::load_descriptor(file).checkpoint());
}
END_TEST

START_TEST(a_descriptor_is_found_through_the_path) {
    const TemporaryFolder folder;
    folder.write("mine.v2.json", descriptor());
    ::setenv("TVW_WEIGHTS_PATH", ("/nowhere::" + folder.path().string()).c_str(), 1);
    assert_text(tvw::find_weights("mine.v2").name(), "mine.v2");
    const auto error = error_of([] { tvw::find_weights("../mine.v2"); });
    ck_assert(error && error->kind() == ErrorKind::kNotFound);
}
END_TEST

START_TEST(an_unknown_key_is_named_with_the_nearest_known_one) {
    assert_refused(descriptor(R"("categorys": ["a"])"),
                   "'categorys' is not a known key (did you mean 'categories'?)");
    assert_refused(descriptor(R"("meta": {"num_param": 1})"), "'meta.num_param'");
    assert_refused(R"({"builder": "resnet50", "url": "https://x.org/a.pth", "transforms":
                      {"preset": "ImageClassification", "crop_sise": 1, "crop_size": 1}})",
                   "'transforms.crop_sise'");
    assert_refused(R"({"builder": "resnet50", "url": "https://x.org/a.pth", "transforms":
                      {"preset": "ImagClassification", "crop_size": 1}})",
                   "did you mean 'ImageClassification'?");
    assert_refused(R"({"builder": "resnet5"})", "did you mean 'resnet50'?");
}
END_TEST

START_TEST(a_missing_key_is_named) {
    assert_refused("{}", "'builder' is missing");
    assert_refused(R"({"builder": "resnet50"})", "'checkpoint' or 'url' is missing");
    assert_refused(descriptor(R"("url": "https://x.org/a.pth")"), "exclude each other");
    assert_refused(R"({"builder": "resnet50", "checkpoint": "a"})", "'transforms' is missing");
    assert_refused(R"({"builder": "resnet50", "checkpoint": "a",
                      "transforms": {"preset": "ImageClassification"}})",
                   "'transforms.crop_size' is missing");
}
END_TEST

START_TEST(a_wrong_number_of_categories_is_a_mismatch) {
    for (const char *keys : {R"("categories": ["a", "b"])",
                             R"("categories": ["a", "b"], "arguments": {"num_classes": 3})",
                             R"("categories": ["a", "b"], "arguments": {"num_classes": -1})"}) {
        const tvw::Error error = failure(descriptor(keys));
        ck_assert_msg(error.kind() == ErrorKind::kMismatch, "%s", error.what());
        ck_assert_msg(contains(error.what(), "2 names"), "%s", error.what());
    }
}
END_TEST

START_TEST(a_value_of_the_wrong_type_or_range_is_refused) {
    const std::string wrong[] = {
        R"("sha256": "0123")",
        R"("sha256": "ABCDEF0123")",
        R"("sha256": 12345678)",
        R"("categories": [])",
        R"("categories": ["a", 1])",
        R"("categories": {"0": "a"})",
        R"("categories": ["a\u0000b"])",
        R"("categories": ["\u001b[31m"])",
        R"("strip_prefix": null)",
        R"("arguments": [])",
        R"("arguments": {"a": {"b": 1}})",
        R"("arguments": {"a": [[1]]})",
        R"("arguments": {"a": 18446744073709551615})",
        R"("meta": 7)",
        R"("meta": {"categories": ["a"]})",
        R"("meta": {"num_params": 1.5})",
        R"("meta": {"num_params": -1})",
        R"("meta": {"num_params": 9223372036854775808})",
        R"("meta": {"min_size": [1]})",
        R"("meta": {"min_size": [0, 1]})",
        R"("meta": {"_metrics": {"a": 1}})",
        R"("meta": {"_metrics": {"a": {"b": "c"}}})",
        R"("meta": {"keypoint_names": "nose"})",
        R"("meta": {"recipe": ")" + std::string(5000, 'x') + R"("})",
    };
    for (const std::string &keys : wrong)
        assert_refused(descriptor(keys), "best.json: '");
}
END_TEST

START_TEST(a_preset_that_torchvision_would_refuse_is_refused) {
    const char *wrong[] = {
        R"("crop_size": 0)",
        R"("crop_size": -224)",
        R"("crop_size": 1e9)",
        R"("crop_size": 99999)",
        R"("crop_size": "224")",
        R"("crop_size": [])",
        R"("crop_size": [1, 2, 3])",
        R"("crop_size": [null])",
        R"("crop_size": 1, "mean": [1, 2])",
        R"("crop_size": 1, "mean": [1, 2, 1e300])",
        R"("crop_size": 1, "mean": 0.5)",
        R"("crop_size": 1, "std": [1, 1, 0])",
        R"("crop_size": 1, "std": [1, 1, 1e-300])",
        R"("crop_size": 1, "interpolation": "lanczos")",
        R"("crop_size": 1, "antialias": "yes")",
    };
    for (const char *fields : wrong)
        assert_refused(R"({"builder": "resnet50", "checkpoint": "a", "transforms":
                          {"preset": "ImageClassification", )" +
                           std::string(fields) + "}}",
                       "'transforms.");
    for (const char *preset : {R"({"preset": "ObjectDetection", "crop_size": 1})",
                               R"({"preset": "VideoClassification", "crop_size": 1})",
                               R"({"preset": "SemanticSegmentation"})", R"({"preset": 1})", "7"})
        assert_refused(R"({"builder": "resnet50", "checkpoint": "a", "transforms": )" +
                           std::string(preset) + "}",
                       "'transforms");
}
END_TEST

START_TEST(a_url_without_tls_or_file_name_is_refused) {
    for (const char *url : {"http://x.org/a.pth", "file:///etc/passwd", "https://x.org/",
                            "https://x.org/..", "https://x.org", "https://x.org/a b",
                            "https://x.org/a'b", "https://x.org/?a.pth", "https://x.org/a\\\\b"})
        assert_refused(R"({"builder": "resnet50", )" + std::string(kTransforms) + R"(, "url": ")" +
                           url + "\"}",
                       "'url' must");
}
END_TEST

START_TEST(what_is_not_json_is_a_corrupt_file) {
    const std::string deep(200'000, '[');
    std::string wide = R"({"a0": 0)";
    for (int i = 1; i < 1000; ++i)
        wide += R"(, "a)" + std::to_string(i) + R"(": 0)";
    const std::string broken[] = {
        "",
        " ",
        "{",
        "<html>",
        descriptor() + "x",
        descriptor().substr(0, 60),
        "\xff\xfe{}",
        "{\"builder\": \"a\xc3\"}",
        R"({"a": "\ud800"})",
        R"({"a": 1e999})",
        R"({"a": NaN})",
        R"({"a": 1, "a": 2})",
        std::string("{\"a\": \"\0\"}", 10),
        deep,
        wide + "}",
    };
    for (const std::string &content : broken) {
        const tvw::Error error = failure(content);
        ck_assert_msg(error.kind() == ErrorKind::kCorruptFile, "%s", error.what());
    }
    ck_assert_uint_eq(*failure("{\n\n\"a\": x}").offset(), 8);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused) {
    const std::string whole = descriptor(R"("categories": ["a"], "arguments": {"num_classes": 1})");
    const TemporaryFolder folder;
    for (size_t size = 0; size < whole.size(); ++size) {
        const auto file = folder.write("best.json", whole.substr(0, size));
        ck_assert(error_of([&] { tvw::load_descriptor(file); }).has_value());
    }
}
END_TEST

START_TEST(what_is_not_a_file_is_refused_at_once) {
    const TemporaryFolder folder;
    ck_assert_int_eq(::mkfifo((folder.path() / "pipe.json").c_str(), 0600), 0);
    ck_assert(std::filesystem::create_directory(folder.path() / "folder.json"));
    folder.write("large.json", std::string(5 << 20, ' '));
    const struct {
        const char *name;
        ErrorKind kind;
    } cases[] = {{"pipe.json", ErrorKind::kInvalidArgument},
                 {"folder.json", ErrorKind::kInvalidArgument},
                 {"large.json", ErrorKind::kInvalidArgument},
                 {"missing.json", ErrorKind::kNotFound}};
    for (const auto &each : cases) {
        const auto error = error_of([&] { tvw::load_descriptor(folder.path() / each.name); });
        ck_assert_msg(error && error->kind() == each.kind, "%s", each.name);
        ck_assert(contains(error->what(), each.name));
    }
}
END_TEST

START_TEST(a_label_file_is_refused_with_its_line) {
    const TemporaryFolder folder;
    const auto file = folder.write("a.json", descriptor(R"("categories": "labels.txt")"));
    for (const char *text : {"one\n\nthree\n", "one\n\xff\n", "one\na\tb\n"}) {
        folder.write("labels.txt", text);
        const auto error = error_of([&] { tvw::load_descriptor(file); });
        ck_assert_msg(error && contains(error->what(), "labels.txt, line 2"), "%s", text);
    }
    folder.write("labels.txt", "");
    ck_assert(error_of([&] { tvw::load_descriptor(file); }).has_value());
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "descriptor",
        {a_fine_tuned_checkpoint_is_read, a_url_may_stand_for_the_file,
         a_descriptor_is_found_through_the_path, an_unknown_key_is_named_with_the_nearest_known_one,
         a_missing_key_is_named, a_wrong_number_of_categories_is_a_mismatch,
         a_value_of_the_wrong_type_or_range_is_refused,
         a_preset_that_torchvision_would_refuse_is_refused,
         a_url_without_tls_or_file_name_is_refused, what_is_not_json_is_a_corrupt_file,
         a_file_cut_anywhere_is_refused, what_is_not_a_file_is_refused_at_once,
         a_label_file_is_refused_with_its_line});
}
