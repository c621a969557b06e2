// SPDX-License-Identifier: LGPL-2.1-or-later
// Each limit of the reader is kept to the unit, and a caller can raise it.
#include "support/checkpoint_bytes.h"
#include "support/suite.h"

#include <tvw/checkpoint.h>

#include <filesystem>
#include <limits>
#include <string>

using namespace std::string_literals;
using tvw::CheckpointLimits;
using tvw::ErrorKind;
using tvw::test::dict_pickle;
using tvw::test::error_of;
using tvw::test::LegacyFile;
using tvw::test::load_bytes;
using tvw::test::refusal;
using tvw::test::TemporaryFile;
using tvw::test::TensorOps;
using tvw::test::torch_zip;
using tvw::test::ZipWriter;
namespace op = tvw::test::op;

namespace {

using Limit = uint64_t CheckpointLimits::*;

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

tvw::CheckpointOptions with(Limit limit, uint64_t value) {
    tvw::CheckpointOptions options;
    options.limits.*limit = value;
    return options;
}

/// The file loads with `needed` and anything above, and not with one less.
void assert_kept(Limit limit, uint64_t needed, const std::string &bytes) {
    load_bytes(bytes, with(limit, needed));
    load_bytes(bytes, with(limit, kNoLimit));
    const uint64_t less = needed - 1;
    const tvw::Error error =
        refusal(bytes, "the limit of " + std::to_string(less), with(limit, less));
    ck_assert_msg(error.kind() == ErrorKind::kNotSupported, "%s", error.what());
}

/// The file is above the default and loads once the limit is raised.
void assert_raised(Limit limit, uint64_t raised, const std::string &bytes) {
    ck_assert(refusal(bytes, "the limit of").kind() == ErrorKind::kNotSupported);
    load_bytes(bytes, with(limit, raised));
}

std::string zip_of(const TensorOps &tensor, const std::string &key = "w") {
    return torch_zip(dict_pickle({{key, tensor.text()}}));
}

/// A state dict, and a value beside it that is parsed and dropped.
std::string beside(const std::string &value) {
    return torch_zip(
        dict_pickle({{"model", "}" + op::text("w") + TensorOps{}.text() + "s"}, {"x", value}}));
}

std::string safetensors(const std::string &name, size_t bytes) {
    const std::string size = std::to_string(bytes);
    const std::string header = "{\"" + name + R"(":{"dtype":"U8","shape":[)" + size +
                               R"(],"data_offsets":[0,)" + size + "]}}";
    return char(header.size()) + std::string(7, '\0') + header + std::string(bytes, '\0');
}

std::string repeated(const std::string &text, size_t count) {
    std::string result;
    for (size_t i = 0; i < count; ++i)
        result += text;
    return result;
}

/// A state dict in which so many keys share one tensor.
std::string shared_tensor(size_t keys) {
    std::string opcodes = "}" + op::text("w") + TensorOps{}.text() + "q\1s";
    for (size_t i = 1; i < keys; ++i)
        opcodes += op::text(std::to_string(i)) + "h\1s";
    return torch_zip(tvw::test::pickle(opcodes));
}

} // namespace

START_TEST(limits_are_kept_to_the_unit) {
    const std::string zip = zip_of({});
    const std::string legacy = LegacyFile().bytes();
    assert_kept(&CheckpointLimits::file_bytes, zip.size(), zip);
    assert_kept(&CheckpointLimits::file_bytes, legacy.size(), legacy);
    for (const std::string &bytes : {zip, legacy, safetensors("w", 16)})
        assert_kept(&CheckpointLimits::tensor_bytes, 16, bytes);
    assert_kept(&CheckpointLimits::zip_entries, 4, zip);
    // The dict, its key, and what _rebuild_tensor_v2 and its storage are given and give.
    assert_kept(&CheckpointLimits::items, 19, zip);
    assert_kept(&CheckpointLimits::stack, 9, zip);
    const TensorOps repeats{.size = op::tuple({1000}), .stride = op::tuple({0})};
    assert_kept(&CheckpointLimits::repeated_bytes, 4000, zip_of(repeats));
    assert_kept(&CheckpointLimits::depth, 5, beside(")" + std::string(3, '\x85')));
    const std::string name(50, 'x');
    assert_kept(&CheckpointLimits::string_bytes, 50, zip_of({}, name));
    assert_kept(&CheckpointLimits::string_bytes, 50, safetensors(name, 16));
    for (const std::string &bytes : {zip, legacy, safetensors("w", 16)})
        assert_kept(&CheckpointLimits::tensors, 1, bytes);
}
END_TEST

START_TEST(the_size_of_what_is_parsed_is_limited) {
    const std::string padded = beside("](" + std::string(1000, 'N') + "e");
    const size_t begin = padded.find("\x80\x02");
    const size_t size = padded.find("PK\3\4", begin) - begin;
    assert_kept(&CheckpointLimits::pickle_bytes, size, padded);
    assert_kept(&CheckpointLimits::pickle_bytes, 55, safetensors("w", 16));
    // Of a zip's directory, and of the third of a legacy file's pickles.
    refusal(zip_of({}), "a zip directory of", with(&CheckpointLimits::pickle_bytes, 100));
    refusal(LegacyFile().bytes(), "a pickle larger than the limit of 100 bytes",
            with(&CheckpointLimits::pickle_bytes, 100));
}
END_TEST

START_TEST(limits_can_be_raised) {
    const TensorOps repeats{.size = op::tuple({int64_t{1} << 30}), .stride = op::tuple({0})};
    assert_raised(&CheckpointLimits::repeated_bytes, kNoLimit, zip_of(repeats));
    assert_raised(&CheckpointLimits::depth, 300, beside(")" + std::string(200, '\x85')));
    assert_raised(&CheckpointLimits::stack, 200'000,
                  beside("](" + std::string(150'000, 'N') + "e"));
    const std::string batch = "(" + std::string(50'000, 'N') + "e";
    assert_raised(&CheckpointLimits::items, 2'000'000, beside("]" + repeated(batch, 21)));
    assert_raised(&CheckpointLimits::string_bytes, 10'000, zip_of({}, std::string(9'000, 'x')));
    assert_raised(&CheckpointLimits::tensors, kNoLimit, shared_tensor(100'001));
}
END_TEST

START_TEST(the_ratio_of_a_deflated_wrapper_can_be_raised) {
    const std::string packed = ZipWriter().add_deflated("m", safetensors("w", 4 << 20)).finish();
    assert_raised(&CheckpointLimits::unpack_ratio, 2'000, packed);
    assert_raised(&CheckpointLimits::unpack_ratio, kNoLimit, packed);
    refusal(packed, "more than the limit of",
            {.limits = {.file_bytes = 100'000, .unpack_ratio = kNoLimit}});
}
END_TEST

START_TEST(the_size_of_a_file_can_be_raised) {
    const TemporaryFile file("PK\3\4");
    std::filesystem::resize_file(file.path(), uintmax_t{1} << 40);
    const auto kind = [&](const tvw::CheckpointOptions &options) {
        return error_of([&] { tvw::load_checkpoint(file.path(), options); })->kind();
    };
    ck_assert(kind({}) == ErrorKind::kNotSupported);
    // Now its end is looked at.
    ck_assert(kind(with(&CheckpointLimits::file_bytes, kNoLimit)) == ErrorKind::kCorruptFile);
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "checkpoint limits",
        {limits_are_kept_to_the_unit, the_size_of_what_is_parsed_is_limited, limits_can_be_raised,
         the_ratio_of_a_deflated_wrapper_can_be_raised, the_size_of_a_file_can_be_raised});
}
