// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"
#include "support/temporary_folder.h"

#include <tvw/hub.h>

#include <cstdlib>

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
    for (const std::string &part :
         {(cache / "resnet50-11ad3fa6.pth").string(), weights.url(), std::string("curl -L")})
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
    const tvw::Weights weights = tvw::get_weight("ResNet50_Weights.IMAGENET1K_V2");
    const std::string right = "11ad3fa6" + std::string(56, '0');
    const std::string wrong = "11ad3fa7" + std::string(56, '0');
    tvw::verify_digest(weights, "a.pth", right);
    const auto error = error_of([&] { tvw::verify_digest(weights, "a.pth", wrong); });
    ck_assert(error && error->kind() == ErrorKind::kMismatch);
    for (const std::string &part : {wrong, std::string("11ad3fa6"), std::string("a.pth")})
        ck_assert_msg(contains(error->what(), part), "%s", error->what());
    ck_assert(error_of([&] { tvw::verify_digest(weights, "a.pth", ""); }).has_value());
}
END_TEST

int main() {
    return tvw::test::run_suite("hub", {the_cache_is_that_of_torch_hub, a_cached_file_is_found,
                                        a_descriptors_own_file_is_found_beside_it,
                                        a_wrong_digest_is_named_with_the_promised_one});
}
