// SPDX-License-Identifier: LGPL-2.1-or-later
// safetensors files: ours come back, broken ones are refused.
#include "support/checkpoint_bytes.h"
#include "support/suite.h"

#include <tvw/checkpoint.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

using tvw::DType;
using tvw::ErrorKind;
using tvw::HostTensor;
using tvw::load_checkpoint;
using tvw::save_safetensors;
using tvw::test::assert_text;
using tvw::test::error_of;
using tvw::test::load_bytes;
using tvw::test::refusal;
using tvw::test::TemporaryFile;
using tvw::test::tensor_of;

START_TEST(safetensors_round_trip) {
    HostTensor base = HostTensor::zeros(DType::kFloat32, {2, 3});
    for (size_t i = 0; i < 6; ++i)
        base.mutable_values<float>()[i] = float(i);
    const HostTensor transposed(DType::kFloat32, {3, 2}, {1, 3}, 0, base.storage());
    HostTensor bytes = HostTensor::zeros(DType::kUInt8, {3});
    bytes.mutable_values<uint8_t>()[1] = 7;
    const TemporaryFile file("old content");
    save_safetensors(file.path(), {{"ü.bytes", bytes},
                                   {"t", transposed},
                                   {"empty", HostTensor::zeros(DType::kInt64, {0, 2})},
                                   {"scalar", HostTensor::zeros(DType::kFloat64, {})}});
    const auto loaded = load_checkpoint(file.path());
    ck_assert(loaded.container == tvw::Container::kSafetensors);
    ck_assert_uint_eq(loaded.state_dict.size(), 4);
    assert_text(loaded.state_dict.entries()[0].first, "ü.bytes");
    ck_assert_int_eq(tensor_of(loaded, "ü.bytes").values<uint8_t>()[1], 7);
    ck_assert_float_eq(tensor_of(loaded, "t").values<float>()[1], 3);
    ck_assert(tensor_of(loaded, "empty").shape() == (tvw::Shape{0, 2}));
    ck_assert(tensor_of(loaded, "scalar").shape().empty());
}
END_TEST

START_TEST(safetensors_with_headers_of_any_length_are_read) {
    const TemporaryFile file("old content");
    // The file begins with the header's length, a multiple of 8: its first byte takes every such
    // value, that of a pickle too.
    for (size_t length = 8; length <= 256; length += 8) {
        save_safetensors(file.path(),
                         {{std::string(length, 'x'), HostTensor::zeros(DType::kInt8, {1})}});
        ck_assert(load_checkpoint(file.path()).container == tvw::Container::kSafetensors);
    }
}
END_TEST

START_TEST(safetensors_are_written_whole_or_not_at_all) {
    const TemporaryFile file("old content");
    const HostTensor tensor = HostTensor::zeros(DType::kFloat32, {1});
    const auto kind = [&](const std::vector<tvw::NamedTensor> &tensors) {
        return error_of([&] { save_safetensors(file.path(), tensors); })->kind();
    };
    ck_assert(kind({{"a", tensor}, {"a", tensor}}) == ErrorKind::kInvalidArgument);
    ck_assert(kind({{"__metadata__", tensor}}) == ErrorKind::kInvalidArgument);
    ck_assert(kind({{"\xff", tensor}}) == ErrorKind::kInvalidArgument);
    ck_assert(kind({{"q", HostTensor::zeros(DType::kQInt8, {1})}}) == ErrorKind::kNotSupported);
    ck_assert(kind({{"s", HostTensor::shape_only(DType::kInt8, {1})}}) ==
              ErrorKind::kInvalidArgument);
    ck_assert_uint_eq(std::filesystem::file_size(file.path()), 11);
    const auto device = error_of([&] { save_safetensors("/dev/null", {{"a", tensor}}); });
    ck_assert(device && device->kind() == ErrorKind::kIo);
    const auto nowhere = error_of([&] { save_safetensors("/nonexistent/x", {}); });
    ck_assert(nowhere && nowhere->kind() == ErrorKind::kIo);
}
END_TEST

START_TEST(broken_safetensors_are_refused) {
    const auto file = [](const std::string &header, const std::string &data) {
        std::string bytes(8, '\0');
        const uint64_t size = header.size();
        std::memcpy(bytes.data(), &size, sizeof size);
        return bytes + header + data;
    };
    const auto entry = [](const std::string &dtype, const std::string &shape,
                          const std::string &range) {
        return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + range +
               "}";
    };
    const auto refused = [&](const std::string &header, const std::string &part) {
        refusal(file(header, "12345678"), part);
    };
    const std::string good = entry("F32", "[2]", "[0,8]");
    ck_assert_uint_eq(
        load_bytes(file(R"({"__metadata__":{"a":"b"},"w":)" + good + "}  ", "12345678"))
            .state_dict.size(),
        1);
    refused("{\"w\":" + good, "no valid JSON");
    refused("{\"w\":" + good + ",\"w\":" + good + "}", "the name 'w' twice");
    refused("{\"w\":[]}", "an array where none belongs");
    refused("{\"w\":{\"dtype\":\"F32\"}}", "too few fields in 'w'");
    refused("{\"w\":{\"dtype\":{}}}", "an object where none belongs");
    refused("{\"w\":" + std::string(100'000, '['), "an array where none belongs");
    refused("{\"w\":" + entry("F32", "[-2]", "[0,8]") + "}", "a negative number");
    refused("{\"w\":" + entry("F32", "[2.0]", "[0,8]") + "}", "a float");
    refused("{\"w\":" + entry("F32", "[3]", "[0,8]") + "}", "not what its shape needs");
    refused("{\"w\":" + entry("F32", "[0,4611686018427387904,4]", "[0,8]") + "}", "not what its");
    refused("{\"w\":" + entry("F8_E4M3", "[8]", "[0,8]") + "}", "dtype 'F8_E4M3'");
    refused("{\"w\":" + entry("F32", "[2]", "[0,16]") + "}", "in 8 bytes of data");
    refused("{\"w\":" + entry("F32", "[1]", "[4,8]") + "}", "a gap before it");
    refused("{\"w\":" + entry("F32", "[1]", "[0,4]") + "}", "goes on after");
    refused("{\"v\":" + good + ",\"w\":" + good + "}", "overlaps");
    refused("{\"w\":" + entry("BOOL", "[8]", "[0,8]") + "}", "bools");
    refusal(file("{}", "").replace(0, 1, "\xff"), "reaches past");
}
END_TEST

int main() {
    return tvw::test::run_suite("safetensors", {safetensors_round_trip,
                                                safetensors_with_headers_of_any_length_are_read,
                                                safetensors_are_written_whole_or_not_at_all,
                                                broken_safetensors_are_refused});
}
