// SPDX-License-Identifier: LGPL-2.1-or-later
// Zip archives that two readers would understand differently, or none.
#include "support/checkpoint_bytes.h"
#include "support/suite.h"

#include <tvw/checkpoint.h>

#include <string>

using namespace std::string_literals;
using tvw::test::dict_pickle;
using tvw::test::load_bytes;
using tvw::test::refusal;
using tvw::test::TensorOps;
using tvw::test::torch_zip;
using tvw::test::ZipWriter;

namespace {

/// As small as torch.save's archives get.
ZipWriter zip() {
    return ZipWriter().add("m/data.pkl", dict_pickle({})).add("m/version", "3\n");
}

void assert_refused(const ZipWriter &writer, const std::string &part) {
    ck_assert(refusal(writer.finish(), part).offset().has_value());
}

std::string good_file() {
    return torch_zip(dict_pickle({{"w", TensorOps{}.text()}}));
}

} // namespace

START_TEST(names_are_plain_and_unique) {
    ck_assert_uint_eq(load_bytes(zip().finish()).state_dict.size(), 0);
    assert_refused(zip().add("m/version", "3\n"), "'m/version' is in the zip twice");
    assert_refused(zip().add("m/VERSION", "3\n"), "is in the zip twice");
    assert_refused(zip().add("n/x", ""), "not in one folder");
    for (const char *name : {"../x", "/x", "m/../x", "m/./x", "m//x", "m/", "m\\x", "m/\xff", ""})
        assert_refused(zip().add(name, ""), "is not a plain name");
    assert_refused(zip().add("m/\0"s, ""), "is not a plain name");
    assert_refused(zip().add("m/" + std::string(5000, 'x'), ""), "a name of 5002 bytes");
}
END_TEST

START_TEST(local_headers_agree_with_the_directory) {
    assert_refused(zip().add("m/x", "x").with_local_name("m/y"), "in its local header");
    assert_refused(zip().add("m/x", "x").with_local_name("m/xx"), "disagrees");
    assert_refused(zip().add("m/x", "x").with_header_at(0), "overlap");
    assert_refused(zip().add("m/x", "x").with_header_at(1), "overlap");
    assert_refused(zip().add("m/x", "x").with_header_at(0xfffffff0), "past the end");
    assert_refused(zip().add("m/x", "x").with_header_at(0xffffffff), "past the end");
}
END_TEST

START_TEST(entries_fill_the_file_without_overlap) {
    assert_refused(zip().add("m/x", "x").with_size(0x7fffffff), "reaches past the end");
    assert_refused(zip().add("m/x", "x").with_size(2), "overlap");
    assert_refused(zip().add("m/x", "x").with_size(0), "belong to no zip entry");
    assert_refused(zip().gap("junk"), "belong to no zip entry");
    refusal("junk" + zip().finish(), "not a checkpoint");
    refusal(zip().finish() + "junk", "does not end with its end record");
}
END_TEST

START_TEST(the_end_record_is_believed_only_if_right) {
    assert_refused(zip().count(3), "too short for 3 entries");
    assert_refused(zip().count(1), "more bytes than entries");
    assert_refused(zip().count(0xffff), "ZIP64 end record is missing");
    assert_refused(ZipWriter(), "the zip archive is empty");
    refusal("PK\3\4", "does not end with its end record");
}
END_TEST

START_TEST(only_stored_plain_entries_are_read) {
    assert_refused(zip().add("m/x", "x").with_flags(1), "is encrypted");
    assert_refused(zip().add_deflated("m/x", "x"), "is compressed (method 8)");
    assert_refused(zip().add("m/x", "x").with_method(99), "is compressed (method 99)");
    assert_refused(ZipWriter().add("x", "x").with_method(99), "is compressed (method 99)");
}
END_TEST

START_TEST(the_archive_says_that_it_is_torch_saves) {
    const std::string pickle = dict_pickle({});
    assert_refused(zip().add("m/byteorder", "big"), "byte order 'big'");
    assert_refused(zip().add("m/byteorder", std::string(100, 'x')), "is too long");
    assert_refused(zip().add("m/constants.pkl", ""), "a TorchScript archive");
    assert_refused(ZipWriter().add("m/data.pkl", pickle).add("m/x", ""), "no entry 'm/version'");
    for (const char *version : {"11", "0", "", "3x", "-3"}) {
        assert_refused(ZipWriter().add("m/data.pkl", pickle).add("m/version", version),
                       "file format version");
    }
    assert_refused(ZipWriter().add("m/x", "").add("m/version", "3"), "not torch.save's");
}
END_TEST

START_TEST(a_wrong_checksum_is_found) {
    std::string bytes = good_file();
    bytes[bytes.find(tvw::test::float_bytes({1, 2, 3, 4}))] ^= 1;
    refusal(bytes, "'m/data/0' has checksum");
    assert_refused(
        ZipWriter().add("m/data.pkl", dict_pickle({})).with_crc(1).add("m/version", "3\n"),
        "'m/data.pkl' has checksum");
}
END_TEST

START_TEST(a_checksum_of_zero_is_not_known) {
    const ZipWriter writer =
        ZipWriter().add("m/data.pkl", dict_pickle({})).with_crc(0).add("m/version", "3\n");
    ck_assert_uint_eq(load_bytes(writer.finish()).state_dict.size(), 0);
}
END_TEST

START_TEST(a_zip_around_one_file_is_opened_once) {
    for (const std::string &inner : {good_file(), tvw::test::LegacyFile().bytes()}) {
        for (const std::string &outer : {ZipWriter().add("model.pth", inner).finish(),
                                         ZipWriter().add_deflated("model.pth", inner).finish()}) {
            const auto loaded = load_bytes(outer);
            ck_assert_float_eq(tvw::test::tensor_of(loaded, "w").values<float>()[3], 4);
            assert_refused(ZipWriter().add("again", outer), "in a zip in a zip in a zip");
        }
    }
    assert_refused(ZipWriter().add("model.pth", "<html>"), "a web page");
}
END_TEST

START_TEST(a_deflate_bomb_is_not_unpacked) {
    const std::string zeros(size_t{64} << 20, '\0');
    assert_refused(ZipWriter().add_deflated("bomb", zeros), "unpacks from");
    assert_refused(ZipWriter().add_deflated("x", "abc").with_crc(1), "has checksum");
    std::string damaged = ZipWriter().add_deflated("x", std::string(1000, 'x')).finish();
    damaged[31] = '\xff';
    refusal(damaged, "cannot be unpacked");
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "zip", {names_are_plain_and_unique, local_headers_agree_with_the_directory,
                entries_fill_the_file_without_overlap, the_end_record_is_believed_only_if_right,
                only_stored_plain_entries_are_read, the_archive_says_that_it_is_torch_saves,
                a_wrong_checksum_is_found, a_checksum_of_zero_is_not_known,
                a_zip_around_one_file_is_opened_once, a_deflate_bomb_is_not_unpacked});
}
