// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"
#include "support/temporary_folder.h"

#include "base/text.h"
#include "hub/cache_name.h"
#include "hub/courtesy_lock.h"
#include "hub/digest.h"
#include "hub/location.h"
#include "hub/progress_text.h"

#include <tvw/checkpoint.h>
#include <tvw/hub.h>

#include <cstdlib>
#include <functional>
#include <optional>

using tvw::ErrorKind;
using tvw::test::assert_text;
using tvw::test::contains;
using tvw::test::error_of;
using tvw::test::TemporaryFolder;

START_TEST(the_cache_is_that_of_torch_hub) {
    const auto folder = [](const char *torch_home, const char *xdg_cache) {
        ::unsetenv("TORCH_HOME");
        ::unsetenv("XDG_CACHE_HOME");
        if (torch_home != nullptr)
            ::setenv("TORCH_HOME", torch_home, 1);
        if (xdg_cache != nullptr)
            ::setenv("XDG_CACHE_HOME", xdg_cache, 1);
        return tvw::checkpoint_dir().string();
    };
    ::setenv("HOME", "/me", 1);
    assert_text(folder(nullptr, nullptr), "/me/.cache/torch/hub/checkpoints");
    assert_text(folder(nullptr, "/cache"), "/cache/torch/hub/checkpoints");
    assert_text(folder("/torch", "/cache"), "/torch/hub/checkpoints");
    assert_text(folder("~/torch", nullptr), "/me/torch/hub/checkpoints");
    assert_text(folder("~else/torch", nullptr), "~else/torch/hub/checkpoints");
}
END_TEST

START_TEST(a_cached_file_is_found) {
    const TemporaryFolder home;
    const auto cache = home.path() / "hub" / "checkpoints";
    std::filesystem::create_directories(cache);
    ::setenv("TORCH_HOME", home.path().c_str(), 1);
    const tvw::Weights weights = tvw::find_weights("resnet50");
    const auto error = error_of([&] { tvw::find_checkpoint(weights); });
    ck_assert(error && error->kind() == ErrorKind::kNotFound);
    for (const std::string &part : {(cache / "resnet50-11ad3fa6.pth").string(), weights.url(),
                                    std::string("tvw fetch " + weights.name())})
        ck_assert_msg(contains(error->what(), part), "%s", error->what());
    home.write("hub/checkpoints/resnet50-11ad3fa6.pth", "");
    ck_assert(tvw::find_checkpoint(weights) == cache / "resnet50-11ad3fa6.pth");
}
END_TEST

START_TEST(a_descriptors_own_file_is_found_beside_it) {
    const TemporaryFolder folder;
    const tvw::Weights weights = tvw::load_descriptor(folder.write("a.json", R"({
        "builder": "resnet50", "checkpoint": "a.pth", "transforms": {"preset": "OpticalFlow"}})"));
    const auto error = error_of([&] { tvw::find_checkpoint(weights); });
    ck_assert(error && contains(error->what(), (folder.path() / "a.pth").string()));
    folder.write("a.pth", "");
    ck_assert(tvw::find_checkpoint(weights) == folder.path() / "a.pth");
}
END_TEST

START_TEST(a_wrong_digest_is_named_with_the_promised_one) {
    const std::string right = "11ad3fa6" + std::string(56, '0');
    const std::string wrong = "11ad3fa7" + std::string(56, '0');
    const auto promise = tvw::promise_of(tvw::get_weight("ResNet50_Weights.IMAGENET1K_V2"));
    ck_assert(!tvw::objection(promise, "", "a.pth", right));
    const auto text = tvw::objection(promise, "", "a.pth", wrong);
    for (const char *part : {wrong.c_str(), "11ad3fa6…", "a.pth", "IMAGENET1K_V2"})
        ck_assert_msg(text && contains(*text, part), "%s", text.value_or("none").c_str());
    ck_assert(tvw::objection(promise, "", "a.pth", "").has_value());
}
END_TEST

START_TEST(a_remembered_digest_is_held_to_unless_the_promise_is_whole) {
    const std::string one(64, '1');
    const std::string two(64, '2');
    ck_assert(!tvw::objection({}, "", "a.pth", one));
    ck_assert(!tvw::objection({}, one, "a.pth", one));
    const auto text = tvw::objection({}, two, "a.pth", one);
    ck_assert(text && contains(*text, one) && contains(*text, two) &&
              contains(*text, "a.pth.sha256"));
    ck_assert(!tvw::objection({one, "x"}, two, "a.pth", one));
}
END_TEST

START_TEST(a_digest_is_remembered_in_sha256sums_format) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "a.pth";
    assert_text(tvw::remembered_digest(file), "");
    const std::string digest(64, 'a');
    tvw::remember_digest(file, digest);
    assert_text(tvw::read_text_file(folder.path() / "a.pth.sha256", 1000), digest + "  a.pth\n");
    assert_text(tvw::remembered_digest(file), digest);
    for (const std::string &text : {std::string(), digest.substr(1), digest + "a", "x" + digest}) {
        folder.write("a.pth.sha256", text);
        assert_text(tvw::remembered_digest(file), "");
    }
    tvw::remember_digest(folder.path() / "none" / "a.pth", digest); // and no error
}
END_TEST

START_TEST(names_promise_digests_as_in_torch_hub) {
    const auto digest = [](const std::string &name) { return tvw::promise_of_name(name).digest; };
    assert_text(digest("resnet50-11ad3fa6.pth"), "11ad3fa6");
    assert_text(digest("efficientnet_v2_s-dd5fe13b.tar.gz"), "dd5fe13b");
    assert_text(digest("a-b-0123456789.pth"), "0123456789");
    for (const char *name : {"resnet-50.pth", "resnet50.pth", "a-0123abcd", "a-0123ABCD.pth",
                             "a-0123abcdx.pth", "a_0123abcd.pth", "-", ""})
        assert_text(digest(name), "");
}
END_TEST

START_TEST(names_in_the_cache_say_what_a_file_is) {
    using tvw::CacheRole;
    const auto check = [](const char *name, CacheRole role, const char *checkpoint) {
        const tvw::CacheName parsed = tvw::parse_cache_name(name);
        ck_assert_msg(parsed.role == role, "%s", name);
        assert_text(parsed.checkpoint, checkpoint);
    };
    check("a.pth", CacheRole::kCheckpoint, "a.pth");
    check("a.pth.sha256", CacheRole::kDigest, "a.pth");
    check("a.pth.0123abcd.part", CacheRole::kPartial, "a.pth");
    check("a.pth.0123456789abcdef.partial", CacheRole::kPartial, "a.pth");
    check("a.pth.lock", CacheRole::kLock, "a.pth");
    check("a.pth.corrupt", CacheRole::kCorrupt, "a.pth");
    for (const char *name : {".lock", "a.part", "a.pth.part", "a.pth.x.part", "a..part", ".a.part"})
        check(name, CacheRole::kCheckpoint, name);
}
END_TEST

START_TEST(offline_names_the_expected_path) {
    const TemporaryFolder home;
    ::setenv("TORCH_HOME", home.path().c_str(), 1);
    ::setenv("TVW_OFFLINE", "1", 1);
    const tvw::Weights weights = tvw::find_weights("resnet50");
    for (const auto &call : {std::function<void()>([&] { tvw::fetch_checkpoint(weights); }),
                             std::function<void()>([&] { weights.get_state_dict(); })}) {
        const auto error = error_of(call);
        ck_assert(error && error->kind() == ErrorKind::kNotFound);
        ck_assert(contains(error->what(), tvw::checkpoint_path(weights).string()));
    }
    ck_assert(std::filesystem::is_empty(home.path()));
    for (const char *no : {"0", ""}) {
        ::setenv("TVW_OFFLINE", no, 1);
        ck_assert(!tvw::is_offline());
    }
}
END_TEST

START_TEST(a_mirror_replaces_all_before_the_name) {
    const tvw::Weights weights = tvw::find_weights("resnet50");
    assert_text(tvw::download_url(weights), weights.url());
    for (const char *mirror : {"https://here/a", "https://here/a/"}) {
        ::setenv("TVW_MIRROR", mirror, 1);
        assert_text(tvw::download_url(weights), "https://here/a/resnet50-11ad3fa6.pth");
    }
    for (const char *mirror :
         {"http://here/", "ftp://here/", "HTTPS://here/", "/here/", "https:"}) {
        ::setenv("TVW_MIRROR", mirror, 1);
        const auto error = error_of([&] { tvw::download_url(weights); });
        ck_assert(error && error->kind() == ErrorKind::kInvalidArgument);
    }
}
END_TEST

START_TEST(passwords_are_taken_out_of_addresses) {
    assert_text(tvw::without_credentials("https://a/b"), "https://a/b");
    assert_text(tvw::without_credentials("https://me:pass@a/b"), "https://a/b");
    assert_text(tvw::without_credentials("https://me:p@ss@a"), "https://a");
    assert_text(tvw::without_credentials("https://a/b@c"), "https://a/b@c");
}
END_TEST

/// Whether nobody holds the lock.
bool can_lock(const std::filesystem::path &file) {
    tvw::CourtesyLock lock(file, std::chrono::milliseconds(0), [](uint64_t) {});
    return lock.held();
}

START_TEST(a_lock_is_waited_for_while_its_download_grows) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "a.pth";
    std::optional<tvw::CourtesyLock> first(std::in_place, file, std::chrono::milliseconds(0),
                                           [](uint64_t) { ck_abort(); });
    ck_assert(first->held() && !first->waited() && !can_lock(file));
    std::string content;
    const tvw::CourtesyLock second(file, std::chrono::milliseconds(500), [&](uint64_t bytes) {
        ck_assert(bytes == content.size());
        content += "x";
        if (content.size() < 10)
            folder.write("a.pth.0123abcd.part", content);
        else
            first.reset();
    });
    ck_assert(second.held() && second.waited() && content.size() == 10);
}
END_TEST

START_TEST(a_lock_whose_download_stands_still_is_passed_by) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "a.pth";
    tvw::CourtesyLock first(file, std::chrono::milliseconds(0), [](uint64_t) {});
    int calls = 0;
    const tvw::CourtesyLock second(file, std::chrono::milliseconds(250),
                                   [&](uint64_t) { ++calls; });
    ck_assert(!second.held() && second.waited() && calls >= 2);
    first.release();
    ck_assert(can_lock(file) && std::filesystem::is_empty(folder.path()));
}
END_TEST

START_TEST(what_the_listener_throws_while_waiting_is_passed_on) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "a.pth";
    const tvw::CourtesyLock first(file, std::chrono::milliseconds(0), [](uint64_t) {});
    const auto error = error_of([&] {
        tvw::CourtesyLock(file, std::chrono::milliseconds(500),
                          [](uint64_t) { throw tvw::Error(ErrorKind::kInternal, "enough"); });
    });
    ck_assert(error && contains(error->what(), "enough"));
}
END_TEST

START_TEST(an_unwritable_place_has_no_lock) {
    tvw::CourtesyLock lock("/nowhere/a.pth", std::chrono::milliseconds(0), [](uint64_t) {});
    ck_assert(!lock.held() && !lock.waited());
}
END_TEST

/// What is shown of a download of 200 MB with 1 MB for each of `seconds`.
std::string shown(int columns, std::initializer_list<int> seconds,
                  std::optional<uint64_t> total = 200'000'000) {
    std::string text;
    {
        tvw::ProgressText progress(columns, [&text](const std::string &part) { text += part; });
        const tvw::ProgressText::Time start{};
        progress.show({"a.pth", 0, total, false}, start);
        for (const int second : seconds) {
            progress.show({"a.pth", uint64_t(second) * 1'000'000, total, second == 200},
                          start + std::chrono::seconds(second));
        }
    }
    return text;
}

START_TEST(a_log_gets_a_line_for_ten_percent_or_ten_seconds) {
    assert_text(shown(0, {5, 9, 11, 12, 20, 35, 36}),
                "a.pth: 6 % of 200.0 MB, 1.0 MB/s, 3:09 left\n"
                "a.pth: 10 % of 200.0 MB, 1.0 MB/s, 3:00 left\n"
                "a.pth: 18 % of 200.0 MB, 1.0 MB/s, 2:45 left\n");
    assert_text(shown(0, {199, 200}), "a.pth: 100 % of 200.0 MB, 1.0 MB/s, 0:01 left\n"
                                      "a.pth: 200.0 MB in 3:20, 1.0 MB/s\n");
    assert_text(shown(0, {10}, std::nullopt), "a.pth: 10.0 MB, 1.0 MB/s\n");
}
END_TEST

START_TEST(a_terminal_gets_one_line_that_is_written_over) {
    assert_text(shown(80, {100}), "\ra.pth  [                    ]  0 % of 200.0 MB, 0.0 MB/s\x1b[K"
                                  "\ra.pth  [==========          ]  50 % of 200.0 MB, 1.0 MB/s, "
                                  "1:40 left\x1b[K\n");
    ck_assert(shown(80, {200}).ends_with(
        "\ra.pth  [====================]  200.0 MB in 3:20, 1.0 MB/s\x1b[K\n"));
    assert_text(shown(12, {}), "\ra.pth  [   \x1b[K\n");
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "hub",
        {the_cache_is_that_of_torch_hub, a_cached_file_is_found,
         a_descriptors_own_file_is_found_beside_it, a_wrong_digest_is_named_with_the_promised_one,
         a_remembered_digest_is_held_to_unless_the_promise_is_whole,
         a_digest_is_remembered_in_sha256sums_format, names_promise_digests_as_in_torch_hub,
         names_in_the_cache_say_what_a_file_is, offline_names_the_expected_path,
         a_mirror_replaces_all_before_the_name, passwords_are_taken_out_of_addresses,
         a_lock_is_waited_for_while_its_download_grows,
         a_lock_whose_download_stands_still_is_passed_by,
         what_the_listener_throws_while_waiting_is_passed_on, an_unwritable_place_has_no_lock,
         a_log_gets_a_line_for_ten_percent_or_ten_seconds,
         a_terminal_gets_one_line_that_is_written_over});
}
