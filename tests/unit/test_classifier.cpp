// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"

#include "classifier/softmax.h"

#include <tvw/classifier.h>
#include <tvw/engine.h>

#include <cmath>
#include <limits>
#include <numeric>

using tvw::test::assert_text;
using tvw::test::error_of;

namespace {

std::vector<double> softmax(const std::vector<float> &logits) {
    std::vector<double> probabilities{7, 7, 7, 7}; // of an earlier call
    tvw::softmax(logits, probabilities);
    return probabilities;
}

std::vector<int> top_k(const std::vector<double> &values, int count, double threshold) {
    std::vector<int> indices{7};
    tvw::top_k(values, count, threshold, indices);
    return indices;
}

} // namespace

START_TEST(softmax_stands_large_logits) {
    const auto values = softmax({1000, 999, -1000});
    ck_assert_uint_eq(values.size(), 3);
    ck_assert_double_eq_tol(values[0], 1 / (1 + std::exp(-1.0)), 1e-12);
    ck_assert_double_eq_tol(std::accumulate(values.begin(), values.end(), 0.0), 1, 1e-12);
}
END_TEST

START_TEST(softmax_refuses_what_is_no_number) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const auto error = error_of([&] { softmax({0, bad}); });
        ck_assert(error && error->kind() == tvw::ErrorKind::kMismatch);
    }
}
END_TEST

START_TEST(top_k_sorts_keeps_order_of_equals_and_honours_the_threshold) {
    const std::vector<double> values{0.1, 0.3, 0.1, 0.5};
    ck_assert((top_k(values, 3, 0) == std::vector<int>{3, 1, 0}));
    ck_assert((top_k(values, 9, 0.2) == std::vector<int>{3, 1}));
    ck_assert(top_k(values, 0, 0).empty());
}
END_TEST

START_TEST(devices_are_read_and_nonsense_is_refused) {
    using Type = tvw::Device::Type;
    ck_assert(tvw::parse_device("auto").type == Type::kAuto);
    ck_assert((tvw::parse_device("cuda:3") == tvw::Device{Type::kCuda, 3}));
    for (const char *name : {"fp32", "tf32", "fp16", "bf16"})
        assert_text(std::string(tvw::precision_name(tvw::parse_precision(name))), name);
    ck_assert(error_of([] { tvw::parse_precision("FP32"); }).has_value());
    ck_assert((tvw::parse_device("cuda") == tvw::Device{Type::kCuda, 0}));
    for (const char *text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda3", "cuda:1 "})
        ck_assert(error_of([&] { tvw::parse_device(text); }).has_value());
}
END_TEST

START_TEST(a_result_is_one_line_of_json) {
    tvw::Classification result{"a\n\xff.png", std::nullopt, "W", "", {{3, "cat", 0.5}}};
    assert_text(tvw::to_json(result),
                R"({"source":"a\n�.png","pts_ns":null,"weights":"W","digest":null,)"
                R"("predictions":[{"class_id":3,"label":"cat","probability":0.5}]})");
    result.pts_ns = 40;
    result.digest = "ab";
    result.source = "v";
    result.predictions.clear();
    assert_text(tvw::to_json(result),
                R"({"source":"v","pts_ns":40,"weights":"W","digest":"ab","predictions":[]})");
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "classifier", {softmax_stands_large_logits, softmax_refuses_what_is_no_number,
                       top_k_sorts_keeps_order_of_equals_and_honours_the_threshold,
                       devices_are_read_and_nonsense_is_refused, a_result_is_one_line_of_json});
}
