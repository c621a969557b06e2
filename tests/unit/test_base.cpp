// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"

#include "base/half.h"
#include "base/nearest.h"
#include "base/sha256.h"

#include <tvw/tensor.h>

#include <cmath>
#include <vector>

using tvw::DType;
using tvw::HostTensor;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;

START_TEST(sha256_of_abc_is_the_published_one) {
    tvw::Sha256 sha;
    const char text[] = {'a', 'b', 'c'};
    sha.update(std::as_bytes(std::span(text)));
    assert_text(sha.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(rounding_to_half_formats_takes_the_nearest_and_of_two_the_even) {
    for (int bits = 0; bits < 0x7c00; ++bits) {
        const float value = tvw::half_to_float(uint16_t(bits));
        ck_assert_uint_eq(tvw::float_to_half(value), unsigned(bits));
        ck_assert_uint_eq(tvw::float_to_half(-value), unsigned(bits) | 0x8000);
        const float next = bits + 1 < 0x7c00 ? tvw::half_to_float(uint16_t(bits + 1)) : 65536.0F;
        const float middle = (value + next) / 2;
        const auto even = unsigned(bits % 2 == 0 ? bits : bits + 1);
        ck_assert_uint_eq(tvw::float_to_half(middle), even);
        ck_assert_uint_eq(tvw::float_to_half(std::nextafter(middle, 0.0F)), unsigned(bits));
        ck_assert_uint_eq(tvw::float_to_half(std::nextafter(middle, 1e6F)), unsigned(bits) + 1);
    }
    ck_assert(std::isnan(tvw::half_to_float(tvw::float_to_half(std::nanf("")))));
    ck_assert_uint_eq(tvw::float_to_bfloat16(1.0F), 0x3f80);
    ck_assert_uint_eq(tvw::float_to_bfloat16(std::ldexp(257.0F, -8)), 0x3f80); // a tie
    ck_assert_uint_eq(tvw::float_to_bfloat16(std::ldexp(259.0F, -8)), 0x3f82);
    ck_assert(std::isnan(tvw::bfloat16_to_float(tvw::float_to_bfloat16(std::nanf("")))));
}
END_TEST

START_TEST(half_formats_cover_the_special_values) {
    ck_assert_float_eq(tvw::half_to_float(0x3c00), 1.0F);
    ck_assert_float_eq(tvw::half_to_float(0xc000), -2.0F);
    ck_assert_float_eq(tvw::half_to_float(0x7bff), 65504.0F);
    ck_assert_float_eq(tvw::half_to_float(0x0001), std::ldexp(1.0F, -24));
    ck_assert(std::isinf(tvw::half_to_float(0x7c00)));
    ck_assert(std::isnan(tvw::half_to_float(0x7e00)));
    ck_assert_float_eq(tvw::bfloat16_to_float(0x3f80), 1.0F);
}
END_TEST

START_TEST(a_strided_tensor_is_packed_in_c_order) {
    HostTensor base = HostTensor::zeros(DType::kFloat32, {2, 3});
    auto values = base.mutable_values<float>();
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = float(i);
    const HostTensor transposed(DType::kFloat32, {3, 2}, {1, 3}, 0, base.storage());
    ck_assert(!transposed.is_contiguous());
    const HostTensor packed = transposed.contiguous();
    const float expected[] = {0, 3, 1, 4, 2, 5};
    for (size_t i = 0; i < 6; ++i)
        ck_assert_float_eq(packed.values<float>()[i], expected[i]);
}
END_TEST

START_TEST(per_channel_values_are_dequantized_along_their_axis) {
    HostTensor stored = HostTensor::zeros(DType::kUInt8, {2, 2});
    auto bytes = stored.mutable_values<uint8_t>();
    for (size_t i = 0; i < 4; ++i)
        bytes[i] = uint8_t(10 + i);
    auto quantization = std::make_shared<tvw::Quantization>();
    quantization->per_channel = true;
    quantization->axis = 0;
    quantization->scales = {0.5, 2.0};
    quantization->zero_points = {10, 11};
    const HostTensor tensor(DType::kQUInt8, {2, 2}, {2, 1}, 0, stored.storage(), quantization);
    const HostTensor real = tensor.to_float32();
    const float expected[] = {0, 0.5F, 2, 4};
    for (size_t i = 0; i < 4; ++i)
        ck_assert_float_eq(real.values<float>()[i], expected[i]);
}
END_TEST

START_TEST(a_shape_that_overflows_is_an_error) {
    const auto error = error_of([] { tvw::numel({int64_t{1} << 40, int64_t{1} << 40}); });
    ck_assert(error && contains(error->what(), "1099511627776×1099511627776"));
}
END_TEST

START_TEST(a_near_name_is_suggested_and_a_far_one_is_not) {
    const std::vector<std::string> names = {"resnet18", "resnet50", "vgg16"};
    assert_text(tvw::did_you_mean("resnet5", names), " (did you mean 'resnet50'?)");
    assert_text(tvw::did_you_mean("unrelated_thing", names), "");
    // Names come from files too.
    const std::vector<std::string> hostile = {"resnet\x1b"};
    assert_text(tvw::did_you_mean("resnet5", hostile), " (did you mean 'resnet\\x1b'?)");
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "base",
        {sha256_of_abc_is_the_published_one,
         rounding_to_half_formats_takes_the_nearest_and_of_two_the_even,
         half_formats_cover_the_special_values, a_strided_tensor_is_packed_in_c_order,
         per_channel_values_are_dequantized_along_their_axis, a_shape_that_overflows_is_an_error,
         a_near_name_is_suggested_and_a_far_one_is_not});
}
