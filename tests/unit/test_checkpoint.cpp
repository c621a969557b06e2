// SPDX-License-Identifier: LGPL-2.1-or-later
// The checkpoint reader against files that are built here byte by byte.
#include "support/suite.h"

#include "support/checkpoint_bytes.h"

#include "checkpoint/text.h"

#include <tvw/checkpoint.h>

#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

using namespace std::string_literals;
using tvw::CheckpointOptions;
using tvw::DType;
using tvw::ErrorKind;
using tvw::HostTensor;
using tvw::StateDict;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;
using tvw::test::float_bytes;
using tvw::test::Pickler;
using tvw::test::TemporaryFile;
using tvw::test::torch_zip;
using tvw::test::ZipWriter;

namespace {

tvw::Checkpoint load(const std::string &bytes, const CheckpointOptions &options = {}) {
    return load_checkpoint(TemporaryFile(bytes).path(), options);
}

/// The error of a file that must not load; its message fits two lines.
tvw::Error refusal(const std::string &bytes, const CheckpointOptions &options = {}) {
    auto error = error_of([&] { load(bytes, options); });
    ck_assert_msg(error.has_value(), "the file was loaded");
    ck_assert(std::strlen(error->what()) < 400 && !contains(error->what(), "\n"));
    return *error;
}

/// A zip whose pickle is `pickle`, with a storage "0" of four floats.
std::string zip_of(const std::string &pickle) {
    return torch_zip(pickle, {{"0", float_bytes({1, 2, 3, 4})}});
}

void assert_refused(const std::string &pickle, const std::string &part) {
    const tvw::Error error = refusal(zip_of(pickle));
    ck_assert_msg(contains(error.what(), part), "\"%s\" says nothing of \"%s\"", error.what(),
                  part.c_str());
    ck_assert(error.offset().has_value());
}

/// {"w": tensor of `sizes`} on storage "0" as `numel` floats.
std::string tensor_pickle(const std::string &sizes, const std::string &strides,
                          const std::string &offset = Pickler::integer(0), int64_t numel = 4) {
    return Pickler().dict().text("w").tensor("0", numel, offset, sizes, strides).set().stop();
}

std::string tuple(std::initializer_list<int64_t> numbers) {
    std::string items;
    for (const int64_t number : numbers)
        items += Pickler::integer(number);
    return "(" + items + "t";
}

const HostTensor &tensor_of(const tvw::Checkpoint &checkpoint, const char *key) {
    const auto *value = checkpoint.state_dict.find(key);
    ck_assert_msg(value != nullptr, "there is no %s", key);
    return std::get<HostTensor>(*value);
}

} // namespace

START_TEST(a_view_keeps_its_strides_and_offset) {
    const auto checkpoint = load(zip_of(tensor_pickle(tuple({2, 1}), tuple({2, 1}),
                                                      Pickler::integer(1))));
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
    const auto checkpoint =
        load(zip_of(Pickler()
                        .dict()
                        .text("a")
                        .tensor("0", 4, Pickler::integer(0), tuple({2}), tuple({1}))
                        .set()
                        .text("b")
                        .tensor("0", 4, Pickler::integer(2), tuple({2}), tuple({1}))
                        .set()
                        .stop()));
    ck_assert(tensor_of(checkpoint, "a").storage() == tensor_of(checkpoint, "b").storage());
    ck_assert_float_eq(tensor_of(checkpoint, "b").values<float>()[0], 3);
}
END_TEST

START_TEST(python_2_writes_an_ordered_dict_as_pairs) {
    const std::string pair = "(" + Pickler::string("w") +
                             Pickler::tensor_text("0", 4, Pickler::integer(0), tuple({4}),
                                                  tuple({1})) +
                             "t";
    const auto checkpoint =
        load(zip_of(Pickler().raw("ccollections\nOrderedDict\n](" + pair + "e\x85R").stop()));
    ck_assert_int_eq(tensor_of(checkpoint, "w").numel(), 4);
}
END_TEST

START_TEST(a_none_value_is_an_absent_entry) {
    const auto checkpoint = load(zip_of(Pickler().dict().text("bias").raw("Ns").stop()));
    ck_assert_uint_eq(checkpoint.state_dict.size(), 0);
}
END_TEST

START_TEST(views_outside_their_storage_are_refused) {
    const std::string one = tuple({1});
    assert_refused(tensor_pickle(tuple({5}), one), "5 elements at 0 reach past a storage of 4");
    assert_refused(tensor_pickle(tuple({2}), tuple({4})), "'w': ");
    assert_refused(tensor_pickle(tuple({1}), one, Pickler::integer(4)), "reach past");
    assert_refused(tensor_pickle(tuple({1}), one, Pickler::integer(-1)), "offset is negative");
    assert_refused(tensor_pickle(tuple({-1}), one), "size is negative");
    assert_refused(tensor_pickle(tuple({2}), tuple({-1})), "stride is negative");
    assert_refused(tensor_pickle(tuple({2, 2}), one), "2 sizes and 1 strides");
    assert_refused(tensor_pickle(tuple({1, 1, 1, 1, 1, 1, 1, 1, 1}), one), "9 dimensions");
    constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
    assert_refused(tensor_pickle(tuple({2}), tuple({kHuge})), "does not fit 64 bits");
    assert_refused(tensor_pickle(tuple({kHuge, 4}), tuple({0, 0})), "does not fit 64 bits");
    assert_refused(tensor_pickle(tuple({0, kHuge, 4}), tuple({0, 0, 0})), "does not fit 64 bits");
    assert_refused(tensor_pickle(tuple({2}), one, Pickler::integer(kHuge)), "does not fit");
    assert_refused(tensor_pickle(tuple({int64_t{1} << 42}), tuple({0})), "repeat their elements");
}
END_TEST

START_TEST(an_empty_tensor_needs_no_elements) {
    const auto checkpoint = load(zip_of(tensor_pickle(tuple({0, 3}), tuple({3, 1}))));
    ck_assert_int_eq(tensor_of(checkpoint, "w").numel(), 0);
}
END_TEST

START_TEST(storages_are_what_the_file_has) {
    assert_refused(tensor_pickle(tuple({1}), tuple({1}), Pickler::integer(0), 5),
                   "has 16 bytes, expected 5×float32");
    assert_refused(tensor_pickle(tuple({1}), tuple({1}), Pickler::integer(0), -4),
                   "elements is negative");
    assert_refused(
        tensor_pickle(tuple({1}), tuple({1}), Pickler::integer(0), int64_t{1} << 62),
        "cannot be in a file of");
    assert_refused(Pickler()
                       .dict()
                       .text("w")
                       .tensor("../../etc/passwd", 4, Pickler::integer(0), tuple({4}), tuple({1}))
                       .set()
                       .stop(),
                   "no entry for storage '../../etc/passwd'");
    assert_refused(Pickler()
                       .dict()
                       .text("a")
                       .tensor("0", 4, Pickler::integer(0), tuple({4}), tuple({1}))
                       .set()
                       .text("b")
                       .tensor("0", 2, Pickler::integer(0), tuple({2}), tuple({1}), "DoubleStorage")
                       .set()
                       .stop(),
                   "2×float64 here and 4×float32 before");
}
END_TEST

START_TEST(names_of_code_are_refused_and_never_run) {
    assert_refused(Pickler().raw("cposix\nsystem\n" + Pickler::string("touch /tmp/x") + "\x85R")
                       .stop(),
                   "'posix.system' is not among the names");
    assert_refused(Pickler().raw("c__builtin__\neval\n").stop(), "nothing was executed");
    assert_refused(Pickler().raw("ctorchvision.models.resnet\nResNet\n").stop(),
                   "model.state_dict()");
    assert_refused(Pickler().raw("ctorch\nfloat32\n)R").stop(), "is not something to call");
    assert_refused(Pickler().raw(Pickler::string("x") + ")R").stop(), "what is called is a string");
    assert_refused(Pickler().raw("ctorch._utils\n_rebuild_tensor_v2\n)R").stop(),
                   "with 0 arguments");
    assert_refused(Pickler().raw(Pickler::string("0") + "Q").stop(), "a persistent id is a string");
}
END_TEST

START_TEST(broken_streams_are_refused) {
    assert_refused("", "ends in the middle");
    assert_refused("}.", "a pickle must begin here");
    assert_refused("\x80\xff}.", "pickle protocol 255");
    assert_refused(Pickler().raw("}").text(), "ends in the middle");
    assert_refused(Pickler().raw("s").stop(), "the stack is empty");
    assert_refused(Pickler().raw("NNNs").stop(), "applied to None, not a dict");
    assert_refused(Pickler().raw("}(Nu").stop(), "a key without a value");
    assert_refused(Pickler().raw("u").stop(), "there is no mark");
    assert_refused(Pickler().raw("}(N0").stop(), "opcode '0'");
    assert_refused(Pickler().raw("}(").stop(), "1 values and 1 open marks");
    assert_refused(Pickler().raw("N(\x85").stop(), "the stack is empty");
    assert_refused(Pickler().raw("h\x05").stop(), "memo slot 5 is empty");
    assert_refused(Pickler().raw("Nr\xff\xff\xff\xff").stop(), "memo slot 4294967295");
    assert_refused(Pickler().raw("X\xff\xff\xff\xff").stop(), "a string of 4294967295 bytes");
    assert_refused(Pickler().raw("X\x02\0\0\0\xc3\x28"s).stop(), "not UTF-8");
    assert_refused(Pickler().raw("\x8a\x09xxxxxxxxx").stop(), "an integer of 9 bytes");
    assert_refused(Pickler().raw("cno line end").text(), "a name has no end");
    assert_refused(Pickler().raw("}2").stop(), "opcode '2'"); // DUP
    assert_refused(Pickler().raw("\x8d\xff\xff\xff\xff\xff\xff\xff\xff").stop(), "opcode 0x8d");
    assert_refused(Pickler().dict().stop() + "x", "goes on after its end");
}
END_TEST

START_TEST(values_cannot_contain_themselves) {
    assert_refused(Pickler().raw("]q\0h\0a"s).stop(), "puts a list into itself");
    assert_refused(Pickler().raw("]q\0]q\1h\0ah\0h\1a"s).stop(), "already part of another value");
    assert_refused(Pickler().raw("}q\0" + Pickler::string("x") + "h\0s"s).stop(),
                   "puts a dict into itself");
}
END_TEST

START_TEST(nesting_and_growth_are_bounded) {
    assert_refused(Pickler().raw(")" + std::string(1'000'000, '\x85')).stop(), "deeper than");
    assert_refused(Pickler().raw(std::string(200'000, '(')).stop(), "more marks than");
    assert_refused(Pickler().raw(std::string(200'000, 'N')).stop(), "a stack above");
    std::string wide = "]q"s + '\0';
    for (int i = 0; i < 110; ++i)
        wide += "(" + std::string(10'000, 'N') + "e";
    assert_refused(Pickler().raw(wide).stop(), "more items than");
    std::string bomb = "]q"s + '\0';
    for (int i = 0; i < 60; ++i)
        bomb += "](" + std::string(40, 'h').insert(0, "") + "e";
    // Every level holds the one below ten times: 10^30 values if anybody copied them.
    std::string levels = "]"s;
    for (int i = 0; i < 30; ++i)
        levels += "q"s + char(i) + "](" + [&] {
            std::string ten;
            for (int k = 0; k < 10; ++k)
                ten += "h"s + char(i);
            return ten;
        }() + "e";
    const std::string pickle =
        Pickler().raw("}" + Pickler::string("w") + levels).raw("\x85s").stop();
    assert_refused(pickle, "");
}
END_TEST

START_TEST(only_a_state_dict_is_one) {
    assert_refused(Pickler().raw("]").stop(), "holds a list, not a state dict");
    assert_refused(Pickler().dict().text("epoch").raw("K\x03s").stop(), "'epoch'");
    assert_refused(Pickler().dict().raw("K\x01Ns").stop(), "a key of the state dict is an int");
    const std::string inner = "}" + Pickler::string("w") +
                              Pickler::tensor_text("0", 4, Pickler::integer(0), tuple({4}),
                                                   tuple({1})) +
                              "s";
    assert_refused(Pickler().dict().text("epoch").raw("K\x03s").text("model").raw(inner + "s").stop(),
                   "'model'");
    assert_refused(Pickler()
                       .dict()
                       .text("w")
                       .tensor("0", 4, Pickler::integer(0), tuple({4}), tuple({1}))
                       .set()
                       .text("w")
                       .tensor("0", 4, Pickler::integer(0), tuple({4}), tuple({1}))
                       .set()
                       .stop(),
                   "'w' is there twice");
}
END_TEST

START_TEST(quantizers_are_checked) {
    const auto pickle = [](const std::string &quantizer) {
        return Pickler()
            .dict()
            .text("w")
            .raw("ctorch._utils\n_rebuild_qtensor\n((" + Pickler::string("storage") +
                 "ctorch\nQInt8Storage\n" + Pickler::string("0") + Pickler::string("cpu") +
                 "K\x10tQ" + Pickler::integer(0) + tuple({4, 4}) + tuple({4, 1}) + quantizer +
                 "\x89NtR")
            .set()
            .stop();
    };
    const auto number = Pickler::real;
    const std::string scheme = "(ctorch\nper_tensor_affine\n";
    const auto loaded = load(zip_of(pickle(scheme + number(0.5) + Pickler::integer(-3) + "t")));
    ck_assert_double_eq(tensor_of(loaded, "w").quantization()->scales[0], 0.5);
    ck_assert_int_eq(tensor_of(loaded, "w").quantization()->zero_points[0], -3);
    for (const double scale : {std::nan(""), 0.0, -1.0, HUGE_VAL})
        assert_refused(pickle(scheme + number(scale) + Pickler::integer(0) + "t"), "a scale");
    assert_refused(pickle(scheme + number(1) + Pickler::integer(128) + "t"), "a zero point");

    const std::string channels = "(ctorch\nper_channel_affine\n";
    const std::string scales = "](" + number(1) + number(2) + number(3) + number(4) + "e";
    const std::string zeros = "](K\0K\1K\2K\3e"s;
    const auto lists = load(zip_of(pickle(channels + scales + zeros + "K\1t"s)));
    ck_assert_int_eq(tensor_of(lists, "w").quantization()->axis, 1);
    ck_assert_double_eq(tensor_of(lists, "w").quantization()->scales[3], 4);
    assert_refused(pickle(channels + scales + zeros + "K\2t"s), "the axis");
    assert_refused(pickle(channels + scales + "](K\0e"s + "K\1t"s), "1 zero points for 4 channels");
    assert_refused(pickle(channels + zeros + zeros + "K\1t"s), "the scales hold an int");
}
END_TEST

START_TEST(zips_are_unambiguous) {
    const std::string pickle = Pickler().dict().stop();
    const auto zip = [&] {
        return ZipWriter().add("m/data.pkl", pickle).add("m/version", "3\n");
    };
    const auto refused = [](ZipWriter writer, const std::string &part) {
        const tvw::Error error = refusal(writer.finish());
        ck_assert_msg(contains(error.what(), part), "\"%s\" says nothing of \"%s\"", error.what(),
                      part.c_str());
    };
    ck_assert_uint_eq(load(zip().finish()).state_dict.size(), 0);
    refused(zip().add("m/version", "3\n"), "'m/version' is in the zip twice");
    refused(zip().add("m/VERSION", "3\n"), "is in the zip twice");
    refused(zip().add("n/x", ""), "not in one folder");
    for (const char *name : {"../x", "/x", "m/../x", "m//x", "m/", "m\\x", "m/\xff", ""})
        refused(zip().add(name, ""), "is not a plain name");
    refused(zip().add("m/"s + '\0', ""), "is not a plain name");
    refused(zip().add("m/x", "x").rename_local("m/y"), "in its local header");
    refused(zip().add("m/x", "x").with_crc(1), "");
    refused(zip().add("m/x", "x").with_flags(1), "is encrypted");
    refused(zip().add("m/x", "x").with_method(8), "is compressed");
    refused(zip().add("m/x", "x").with_size(0x7fffffff), "reaches past the end");
    refused(zip().add("m/x", "x").at(0), "disagrees");
    refused(zip().add("m/x", "x").at(0xfffffff0), "bytes are needed");
    refused(zip().gap("junk"), "bytes that belong to no zip entry");
    refused(zip().add("m/byteorder", "big"), "byte order 'big'");
    refused(zip().add("m/constants.pkl", ""), "a TorchScript archive");
    refused(ZipWriter().add("m/data.pkl", pickle).add("m/x", ""), "no entry 'm/version'");
    refused(ZipWriter().add("m/data.pkl", pickle).add("m/version", "11"), "version '11'");
    refused(ZipWriter().add("m/x", "").add("m/version", "3"), "not torch.save's");
    refused(zip().count(3), "too short for 3 entries");
    refused(zip().count(1), "more bytes than entries");
    refused(ZipWriter(), "is empty");
    ck_assert(contains(refusal("junk" + zip().finish()).what(), "not a checkpoint"));
    ck_assert(contains(refusal(zip().finish() + "junk").what(), "end record"));
}
END_TEST

START_TEST(a_wrong_checksum_is_found) {
    std::string bytes = zip_of(tensor_pickle(tuple({4}), tuple({1})));
    const size_t data = bytes.find(float_bytes({1, 2, 3, 4}));
    bytes[data] ^= 1;
    ck_assert(contains(refusal(bytes).what(), "checksum"));
}
END_TEST

START_TEST(a_zip_around_one_file_is_opened) {
    const std::string inner = zip_of(tensor_pickle(tuple({4}), tuple({1})));
    ck_assert_uint_eq(load(ZipWriter().add("model.pth", inner).finish()).state_dict.size(), 1);
    ck_assert_uint_eq(load(ZipWriter().add_deflated("model.pth", inner).finish()).state_dict.size(),
                      1);
    const std::string twice = ZipWriter().add("model.pth", inner).finish();
    ck_assert(contains(refusal(ZipWriter().add("again", twice).finish()).what(), "a zip in a zip"));
    const std::string bomb =
        ZipWriter().add_deflated("bomb", std::string(size_t{64} << 20, '\0')).finish();
    ck_assert(contains(refusal(bomb).what(), "unpacks from"));
}
END_TEST

START_TEST(truncation_anywhere_is_an_error) {
    for (const std::string &bytes :
         {zip_of(tensor_pickle(tuple({4}), tuple({1}))), tvw::test::legacy_file()}) {
        ck_assert_uint_eq(load(bytes).state_dict.size(), 1);
        const TemporaryFile file(bytes);
        for (size_t size = bytes.size(); size-- > 0;) {
            std::filesystem::resize_file(file.path(), size);
            const auto error = error_of([&] { load_checkpoint(file.path()); });
            ck_assert_msg(error.has_value(), "loaded with %zu of %zu bytes", size, bytes.size());
            ck_assert(error->kind() == ErrorKind::kCorruptFile ||
                      error->kind() == ErrorKind::kNotSupported);
            ck_assert(error->offset().has_value());
        }
    }
}
END_TEST

START_TEST(a_flipped_bit_anywhere_is_harmless) {
    for (std::string bytes :
         {zip_of(tensor_pickle(tuple({4}), tuple({1}))), tvw::test::legacy_file()}) {
        for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            bytes[bit / 8] = char(bytes[bit / 8] ^ (1 << bit % 8));
            error_of([&] { load(bytes, {.limits = {}, .digest = false}); });
            bytes[bit / 8] = char(bytes[bit / 8] ^ (1 << bit % 8));
        }
    }
}
END_TEST

START_TEST(legacy_storages_are_where_their_keys_say) {
    using tvw::test::legacy_file;
    const auto refused = [](const std::string &bytes, const std::string &part) {
        const tvw::Error error = refusal(bytes);
        ck_assert_msg(contains(error.what(), part), "\"%s\" says nothing of \"%s\"", error.what(),
                      part.c_str());
    };
    const auto loaded = load(legacy_file());
    ck_assert(loaded.container == tvw::Container::kLegacy);
    ck_assert_float_eq(tensor_of(loaded, "w").values<float>()[3], 4);
    ck_assert_float_eq(
        tensor_of(load(legacy_file({.view = "(" + Pickler::string("v") + "K\1K\3t"s})), "w")
            .values<float>()[0],
        2);
    refused(legacy_file({.view = "(" + Pickler::string("v") + "K\2K\3t"s}), "reaches past");
    refused(legacy_file({.magic = "\x80\x02\x8a\x01x."}), "not one that torch.save begins with");
    refused(legacy_file({.protocol = 1002}), "protocol 1001");
    refused(legacy_file({.little_endian = false}), "not little-endian");
    refused(legacy_file({.keys = {}}), "storage '0' is not in the file");
    refused(legacy_file({.keys = {"0", "0"}}), "is there twice");
    refused(legacy_file({.keys = {"1"}}), "belongs to no tensor");
    refused(legacy_file({.count = 5}), "has 5 elements, expected 4");
    refused(legacy_file() + "x", "goes on after its last storage");
}
END_TEST

START_TEST(what_is_no_checkpoint_is_named) {
    const auto says = [](const std::string &bytes, const std::string &part) {
        const tvw::Error error = refusal(bytes);
        ck_assert_msg(contains(error.what(), part), "\"%s\"", error.what());
    };
    says("", "the file is empty");
    says("<!DOCTYPE html><html>404</html>", "a web page");
    says("\r\n <?xml version", "a web page");
    says("version https://git-lfs.github.com/spec/v1\n", "Git LFS");
    says(std::string(257, '\0') + "ustar" + std::string(300, '\0'), "tar container");
    says("hello", "not a checkpoint");
    says("PK\3\4", "end record");
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
    const auto missing = error_of([] { tvw::load_checkpoint("/nonexistent\n/x.pth"); });
    ck_assert(missing && missing->kind() == ErrorKind::kNotFound);
    ck_assert(!contains(missing->what(), "\n"));
}
END_TEST

START_TEST(a_huge_sparse_file_is_refused_at_once) {
    const TemporaryFile file("PK\3\4");
    std::filesystem::resize_file(file.path(), uintmax_t{1} << 40);
    const auto error = error_of([&] { load_checkpoint(file.path()); });
    ck_assert(error && error->kind() == ErrorKind::kNotSupported);
}
END_TEST

START_TEST(limits_given_are_kept) {
    const auto refused = [](const tvw::CheckpointLimits &limits, const std::string &part) {
        const std::string bytes = zip_of(tensor_pickle(tuple({4}), tuple({1})));
        const tvw::Error error = refusal(bytes, {.limits = limits, .digest = true});
        ck_assert(error.kind() == ErrorKind::kNotSupported);
        ck_assert_msg(contains(error.what(), part), "\"%s\"", error.what());
    };
    refused({.file_bytes = 100}, "more than the limit of 100");
    refused({.tensor_bytes = 15}, "the limit of 15");
    refused({.pickle_bytes = 10}, "the limit of 10");
    refused({.zip_entries = 2}, "the limit of 2");
    refused({.items = 3}, "the limit of 3");
    refused({.stack = 3}, "the limit of 3");
    refused({.depth = 1}, "the limit of 1");
    refused({.string_bytes = 16}, "the limit of 16");
    refused({.tensors = 0}, "the limit of 0");
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
    const auto device = error_of([&] { tvw::save_safetensors("/dev/null", {{"a", tensor}}); });
    ck_assert(device && device->kind() == ErrorKind::kIo);
    const auto nowhere = error_of([&] { tvw::save_safetensors("/nonexistent/x", {}); });
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
        const tvw::Error error = refusal(file(header, "12345678"));
        ck_assert_msg(contains(error.what(), part), "\"%s\" says nothing of \"%s\"", error.what(),
                      part.c_str());
    };
    const std::string good = entry("F32", "[2]", "[0,8]");
    ck_assert_uint_eq(load(file(R"({"__metadata__":{"a":"b"},"w":)" + good + "}  ", "12345678"))
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
    ck_assert(contains(refusal(file("{}", "").replace(0, 1, "\xff")).what(), "reaches past"));
}
END_TEST

START_TEST(names_from_files_are_shown_without_control_characters) {
    assert_text(tvw::in_quotes("a\n\x1b[31m\xff"), "'a\\x0a\\x1b[31m\\xff'");
    assert_text(tvw::in_quotes("×\xc2\x9b"), "'×\\xc2\\x9b'");
    ck_assert(tvw::in_quotes(std::string(1000, 'x')).size() < 100);
    ck_assert(tvw::is_utf8("é×😀") && !tvw::is_utf8("\xc0\x80") && !tvw::is_utf8("\xf4\x90\x80\x80"));
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "checkpoint", {a_view_keeps_its_strides_and_offset,
                       tensors_share_their_storage,
                       python_2_writes_an_ordered_dict_as_pairs,
                       a_none_value_is_an_absent_entry,
                       views_outside_their_storage_are_refused,
                       an_empty_tensor_needs_no_elements,
                       storages_are_what_the_file_has,
                       names_of_code_are_refused_and_never_run,
                       broken_streams_are_refused,
                       values_cannot_contain_themselves,
                       nesting_and_growth_are_bounded,
                       only_a_state_dict_is_one,
                       quantizers_are_checked,
                       zips_are_unambiguous,
                       a_wrong_checksum_is_found,
                       a_zip_around_one_file_is_opened,
                       truncation_anywhere_is_an_error,
                       a_flipped_bit_anywhere_is_harmless,
                       legacy_storages_are_where_their_keys_say,
                       what_is_no_checkpoint_is_named,
                       only_regular_files_are_opened,
                       a_huge_sparse_file_is_refused_at_once,
                       limits_given_are_kept,
                       state_dict_keys_are_unique_utf8,
                       safetensors_round_trip,
                       safetensors_are_written_whole_or_not_at_all,
                       broken_safetensors_are_refused,
                       names_from_files_are_shown_without_control_characters});
}
