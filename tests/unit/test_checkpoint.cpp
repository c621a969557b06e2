// SPDX-License-Identifier: LGPL-2.1-or-later
// Loading whole files: what a state dict is, legacy files, strangers, damage anywhere, limits.
#include "support/checkpoint_bytes.h"
#include "support/suite.h"

#include "checkpoint/input_file.h"

#include <tvw/checkpoint.h>

#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

using namespace std::string_literals;
using tvw::DType;
using tvw::ErrorKind;
using tvw::HostTensor;
using tvw::load_checkpoint;
using tvw::StateDict;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::dict_pickle;
using tvw::test::error_of;
using tvw::test::LegacyFile;
using tvw::test::load_bytes;
using tvw::test::pickle;
using tvw::test::refusal;
using tvw::test::TemporaryFile;
using tvw::test::tensor_of;
using tvw::test::TensorOps;
using tvw::test::torch_zip;
namespace op = tvw::test::op;

namespace {

std::string zip_file() {
    return torch_zip(dict_pickle({{"w", TensorOps{}.text()}}));
}

} // namespace

START_TEST(a_view_keeps_its_strides_and_offset) {
    const TensorOps view{
        .size = op::tuple({2, 1}), .stride = op::tuple({2, 1}), .offset = op::integer(1)};
    const auto checkpoint = load_bytes(torch_zip(dict_pickle({{"w", view.text()}})));
    const HostTensor &tensor = tensor_of(checkpoint, "w");
    ck_assert(tensor.strides() == (std::vector<int64_t>{2, 1}) && tensor.offset() == 1);
    const HostTensor packed = tensor.contiguous();
    ck_assert_float_eq(packed.values<float>()[0], 2);
    ck_assert_float_eq(packed.values<float>()[1], 4);
    ck_assert_uint_eq(checkpoint.digest.size(), 64);
    ck_assert(checkpoint.container == tvw::Container::kZip);
}
END_TEST

START_TEST(tensors_share_their_storage) {
    const TensorOps rest{.size = op::tuple({2}), .offset = op::integer(2)};
    const auto checkpoint =
        load_bytes(torch_zip(dict_pickle({{"a", TensorOps{}.text()}, {"b", rest.text()}})));
    ck_assert(tensor_of(checkpoint, "a").storage() == tensor_of(checkpoint, "b").storage());
    ck_assert_float_eq(tensor_of(checkpoint, "b").values<float>()[0], 3);
}
END_TEST

START_TEST(pairs_dtypes_and_none_have_their_places) {
    const std::string tensor = TensorOps{}.text();
    const auto checkpoint =
        load_bytes(torch_zip(dict_pickle({{"both", tensor + tensor + "\x86"},
                                          {"no_bias", tensor + "N\x86"},
                                          {"dtype", "ctorch\nqint8\n"},
                                          {"absent", "N"},
                                          {"empty", TensorOps{.size = op::tuple({0})}.text()}})));
    const auto pair = [&](const char *key) {
        return std::get<std::vector<HostTensor>>(*checkpoint.state_dict.find(key)).size();
    };
    ck_assert_uint_eq(pair("both"), 2);
    ck_assert_uint_eq(pair("no_bias"), 1);
    ck_assert(std::get<DType>(*checkpoint.state_dict.find("dtype")) == DType::kQInt8);
    ck_assert(checkpoint.state_dict.find("absent") == nullptr);
    ck_assert_int_eq(tensor_of(checkpoint, "empty").numel(), 0);
}
END_TEST

START_TEST(only_a_state_dict_is_one) {
    const std::string tensor = TensorOps{}.text();
    const auto refused = [](const std::string &data_pkl, const std::string &part) {
        refusal(torch_zip(data_pkl), part);
    };
    refused(pickle("]"), "holds a list, not a state dict");
    refused(dict_pickle({{"epoch", "K\3"}}), "'epoch': an int where a state dict has a tensor");
    refused(pickle("}K\1Ns"), "a key of the state dict is an int");
    refused(dict_pickle({{"w", tensor}, {"w", tensor}}), "the key 'w' is there twice");
    refused(dict_pickle({{"w", tensor + "\x85"}}), "'w': a tuple other than");
}
END_TEST

START_TEST(legacy_storages_are_where_their_keys_say) {
    const auto refused = [](const LegacyFile &file, const std::string &part) {
        refusal(file.bytes(), part);
    };
    const auto view = [](const std::string &offset_and_numel) {
        return "(" + op::text("v") + offset_and_numel + "t";
    };
    const auto loaded = load_bytes(LegacyFile().bytes());
    ck_assert(loaded.container == tvw::Container::kLegacy);
    ck_assert_float_eq(tensor_of(loaded, "w").values<float>()[3], 4);
    const LegacyFile part{.size = op::tuple({3}), .view = view("K\1K\3")};
    ck_assert_float_eq(tensor_of(load_bytes(part.bytes()), "w").values<float>()[0], 2);
    refused({.view = view("K\1K\3")}, "reach past a storage of 3");
    refused({.view = view("K\2K\3")}, "reaches past its storage");
    refused({.magic = "\x80\x02\x8a\x01x."}, "not one that torch.save begins with");
    refused({.protocol = 1002}, "protocol 1001");
    refused({.little_endian = false}, "not little-endian");
    refused({.keys = {}}, "storage '0' is not in the file");
    refused({.keys = {"0", "0"}}, "is there twice");
    refused({.keys = {"1"}}, "belongs to no tensor");
    refused({.count = 5}, "has 5 elements, expected 4");
    refused({.count = -4}, "elements, expected 4");
    refusal(LegacyFile().bytes() + "x", "goes on after its last storage");
}
END_TEST

START_TEST(what_is_no_checkpoint_is_named) {
    refusal("", "the file is empty");
    refusal("<!DOCTYPE html><html>404</html>", "a web page");
    refusal("\r\n <?xml version", "a web page");
    refusal("version https://git-lfs.github.com/spec/v1\n", "Git LFS");
    refusal(std::string(257, '\0') + "ustar" + std::string(300, '\0'), "tar container");
    refusal("hello", "not a checkpoint");
}
END_TEST

START_TEST(only_regular_files_are_opened) {
    const std::filesystem::path fifo = TemporaryFile("").path().native() + ".fifo";
    ck_assert_int_eq(mkfifo(fifo.c_str(), 0600), 0);
    for (const std::filesystem::path &path :
         {fifo, std::filesystem::path("/dev/zero"), std::filesystem::temp_directory_path()}) {
        const auto error = error_of([&] { load_checkpoint(path); });
        ck_assert(error && error->kind() == ErrorKind::kIo);
    }
    std::filesystem::remove(fifo);
    const auto missing = error_of([] { load_checkpoint("/nonexistent\n/x.pth"); });
    ck_assert(missing && missing->kind() == ErrorKind::kNotFound);
    ck_assert(!contains(missing->what(), "\n"));
}
END_TEST

START_TEST(a_file_that_changes_while_read_is_an_error) {
    const TemporaryFile file(std::string(10, 'x'));
    const tvw::InputFile input(file.path(), 100);
    input.check_unchanged();
    std::filesystem::resize_file(file.path(), 5);
    std::array<std::byte, 10> bytes{};
    const auto shorter = error_of([&] { input.read(0, bytes); });
    ck_assert(shorter && shorter->kind() == ErrorKind::kIo && shorter->offset() == 5);
    const auto changed = error_of([&] { input.check_unchanged(); });
    ck_assert(changed && changed->kind() == ErrorKind::kIo);
}
END_TEST

START_TEST(a_file_that_changes_after_loading_changes_nothing) {
    for (const std::string &bytes : {zip_file(), LegacyFile().bytes()}) {
        const TemporaryFile file(bytes);
        const auto checkpoint = load_checkpoint(file.path());
        std::filesystem::resize_file(file.path(), 0);
        ck_assert_float_eq(tensor_of(checkpoint, "w").values<float>()[3], 4);
    }
}
END_TEST

START_TEST(state_dict_keys_are_unique_utf8) {
    StateDict dict;
    dict.add("a.w", DType::kQInt8);
    dict.add("a.b", HostTensor::zeros(DType::kFloat32, {2}));
    ck_assert(dict.find("a.w") != nullptr && dict.find("a") == nullptr);
    ck_assert(error_of([&] { dict.add("a.w", DType::kInt8); })->kind() ==
              ErrorKind::kInvalidArgument);
    ck_assert(error_of([&] { dict.add("\xed\xa0\x80", DType::kInt8); }).has_value());
    const StateDict stripped = dict.without_prefix("a.");
    assert_text(stripped.entries()[0].first, "w");
    const auto error = error_of([&] { dict.without_prefix("a.w"); });
    ck_assert(error && error->kind() == ErrorKind::kMismatch && contains(error->what(), "'a.b'"));
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "checkpoint",
        {a_view_keeps_its_strides_and_offset, tensors_share_their_storage,
         pairs_dtypes_and_none_have_their_places, only_a_state_dict_is_one,

         legacy_storages_are_where_their_keys_say, what_is_no_checkpoint_is_named,
         only_regular_files_are_opened, a_file_that_changes_while_read_is_an_error,
         a_file_that_changes_after_loading_changes_nothing, state_dict_keys_are_unique_utf8});
}
