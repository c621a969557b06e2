// SPDX-License-Identifier: LGPL-2.1-or-later
// What training scripts save: the state dict among other things, which are never read.
#include "support/checkpoint_bytes.h"
#include "support/suite.h"

#include <tvw/checkpoint.h>

#include <string>
#include <vector>

using namespace std::string_literals;
using tvw::ErrorKind;
using tvw::test::assert_text;
using tvw::test::dict_pickle;
using tvw::test::float_bytes;
using tvw::test::load_bytes;
using tvw::test::pickle;
using tvw::test::refusal;
using tvw::test::tensor_of;
using tvw::test::TensorOps;
using tvw::test::torch_zip;
using tvw::test::ZipWriter;
namespace op = tvw::test::op;

namespace {

using Items = std::vector<std::pair<std::string, std::string>>;

/// Opcodes of a dict inside another value.
std::string dict(const Items &items) {
    std::string opcodes = "}";
    for (const auto &[key, value] : items)
        opcodes += op::text(key) + value + "s";
    return opcodes;
}

std::string tensor() {
    return TensorOps{}.text();
}

/// A state dict of one tensor.
std::string network(const std::string &key = "w") {
    return dict({{key, tensor()}});
}

/// The key that was found by itself, or with `wanted`.
std::string chosen(const Items &items, const std::string &wanted = "") {
    const auto checkpoint = load_bytes(torch_zip(dict_pickle(items)), {.state_dict_key = wanted});
    ck_assert_uint_eq(checkpoint.state_dict.size(), 1);
    return checkpoint.state_dict_key + "/" + checkpoint.state_dict.entries()[0].first;
}

void mismatch(const Items &items, const std::string &part, const std::string &wanted = "") {
    const tvw::Error error =
        refusal(torch_zip(dict_pickle(items)), part, {.state_dict_key = wanted});
    ck_assert_msg(error.kind() == ErrorKind::kMismatch, "%s", error.what());
}

/// Storage "0" as usual, and "1" with bytes whose checksum is wrong.
std::string with_damaged_storage(const std::string &data_pkl) {
    return ZipWriter()
        .add("a/data.pkl", data_pkl)
        .add("a/data/0", float_bytes({1, 2, 3, 4}))
        .add("a/version", "3\n")
        .add("a/data/1", float_bytes({5, 6, 7, 8}))
        .with_crc(1)
        .finish();
}

} // namespace

START_TEST(each_usual_key_is_found) {
    for (const char *key : {"state_dict", "model_state_dict", "model_ema", "model"})
        assert_text(chosen({{"epoch", "K\3"}, {key, network()}}), key + "/w"s);
    // A tensor of that name in a plain state dict is a tensor.
    assert_text(chosen({{"model", tensor()}}), "/model");
    // A loss beside the network may be a tensor too.
    assert_text(chosen({{"loss", tensor()}, {"model", network()}}), "model/w");
    // "model" can also be a description of it.
    assert_text(chosen({{"model", dict({{"layers", "K\3"}})}, {"state_dict", network()}}),
                "state_dict/w");
}
END_TEST

START_TEST(several_state_dicts_need_a_choice) {
    const Items both{{"model", network("a")}, {"model_ema", network("b")}, {"x", network("c")}};
    mismatch(both, "one of 'model', 'model_ema'");
    mismatch(both, "state_dict_key (--state-dict)");
    assert_text(chosen(both, "model"), "model/a");
    assert_text(chosen(both, "model_ema"), "model_ema/b");
    assert_text(chosen(both, "x"), "x/c");
    mismatch({{"net", network()}}, "set it to 'net'");
    mismatch({{"a", network()}, {"b", network()}, {"c", network()}, {"d", network()}},
             "one of 'a', 'b', 'c', …");
}
END_TEST

START_TEST(a_key_that_leads_nowhere_is_an_error) {
    mismatch({{"model", network()}}, "no state dict under 'nope'", "nope");
    mismatch({{"model", network()}, {"epoch", "K\3"}}, "set it to 'model'", "epoch");
    mismatch({{"w", tensor()}}, "leave it out", "w");
    mismatch({{"w", tensor()}}, "leave it out", "model");
    const tvw::Error error = refusal("\x08\0\0\0\0\0\0\0{}      "s, "leave state_dict_key out",
                                     {.state_dict_key = "model"});
    ck_assert(error.kind() == ErrorKind::kMismatch);
}
END_TEST

START_TEST(a_wrapper_must_hold_a_state_dict) {
    const auto refused = [](const Items &items, const std::string &part) {
        const tvw::Error error = refusal(torch_zip(dict_pickle(items)), part);
        ck_assert_msg(error.kind() == ErrorKind::kNotSupported, "%s", error.what());
    };
    refused({{"state_dict", "K\3"}}, "'state_dict': an int where a state dict has a tensor");
    refused({{"state_dict", "]"}}, "'state_dict': a list where");
    refused({{"state_dict", "}"}}, "'state_dict': a dict where");
    refused({{"state_dict", dict({{"model", network()}})}}, "'state_dict': a dict where");
    refused({{"model", dict({{"w", tensor()}, {"epoch", "K\3"}})}}, "'epoch': an int where");
    refused({{"model", dict({{"w", tensor()}}) + "K\1Ns"}}, "a key of the state dict is an int");
    refusal(torch_zip(dict_pickle({{"model", network()}, {"model", network()}})),
            "the key 'model' is there twice");
    refusal(torch_zip(dict_pickle({{"model", network()}, {"model", network()}})),
            "the key 'model' is there twice", {.state_dict_key = "model"});
    refusal(torch_zip(dict_pickle({{"model", dict({{"w", tensor()}, {"w", tensor()}})}})),
            "the key 'w' is there twice");
}
END_TEST

START_TEST(what_stands_beside_is_parsed_and_not_read) {
    const std::string other = TensorOps{.key = "1"}.text();
    const std::string moments = "}K\0}"s + op::text("exp_avg") + other + "ss";
    const std::string groups = "]}" + op::text("params") + "](K\0K\1esa"s;
    const std::string counter = "ccollections\nCounter\n}K\3K\1s\x85R";
    const Items items{{"model", network()},
                      {"optimizer", dict({{"state", moments}, {"param_groups", groups}})},
                      {"lr_scheduler", dict({{"milestones", counter}, {"gamma", op::real(0.1)}})},
                      {"best", "N"},
                      {"arch", op::text("resnet18")},
                      {"amp", "\x89"}};
    const auto checkpoint = load_bytes(with_damaged_storage(dict_pickle(items)));
    ck_assert_float_eq(tensor_of(checkpoint, "w").values<float>()[3], 4);
    // Were it part of the state dict, the damage would show.
    refusal(with_damaged_storage(dict_pickle({{"model", dict({{"w", other}})}, {"x", tensor()}})),
            "checksum");
}
END_TEST

START_TEST(what_stands_beside_keeps_the_limits) {
    const auto refused = [](const std::string &beside, const std::string &part,
                            const tvw::CheckpointLimits &limits = {}) {
        refusal(torch_zip(dict_pickle({{"model", network()}, {"beside", beside}})), part,
                {.limits = limits});
    };
    std::string nested = "N";
    for (int i = 0; i < 100; ++i)
        nested += "\x85";
    refused(nested, "nested deeper than the limit of 64");
    std::string many = "](";
    for (int i = 0; i < 2000; ++i)
        many += "K\1";
    refused(many + "e", "the limit of 1000", {.items = 1000});
    refused(many + "e", "the limit of 1000", {.stack = 1000});
    refused("cos\nsystem\n" + op::text("true") + "\x85R", "'os.system' is not among the names");
    refused("cargparse\nNamespace\n)\x81", "torch.save(model.state_dict(), path)");
    refused("ccollections\nCounter\n]\x85R", "Counter's argument is a list");
    refused(TensorOps{.numel = 1 << 20}.text(), "before");
    refused(TensorOps{.key = "7"}.text(), "no entry for storage '7'");
    refused(TensorOps{.size = op::tuple({1 << 20, 1 << 20}), .stride = op::tuple({0, 0})}.text(),
            "repeat their elements");
    refused(TensorOps{.size = op::tuple({5})}.text(), "reach past a storage of 4");
}
END_TEST

START_TEST(one_dict_under_many_keys_costs_nothing) {
    // 10,000 names for a dict of 10,000 tensors: looking at each entry of each would take minutes.
    constexpr int kMany = 10'000;
    std::string inner = "}(" + op::text("0") + tensor() + "q\1";
    for (int i = 1; i < kMany; ++i)
        inner += op::text(std::to_string(i)) + "h\1";
    std::string names = op::text("first") + inner + "uq\2s(";
    for (int i = 0; i < kMany; ++i)
        names += op::text("name" + std::to_string(i)) + "h\2";
    refusal(torch_zip(pickle("}" + names + "u")), "not a state dict itself");
}
END_TEST

START_TEST(the_count_of_an_average_is_dropped) {
    const std::string count =
        TensorOps{.size = op::tuple({}), .stride = op::tuple({}), .numel = 2, .type = "LongStorage"}
            .text();
    const auto load = [&](const Items &items) {
        return load_bytes(torch_zip(dict_pickle(items))).state_dict.size();
    };
    const std::string two =
        TensorOps{.size = op::tuple({2}), .numel = 2, .type = "LongStorage"}.text();
    ck_assert_uint_eq(load({{"n_averaged", count}, {"module.w", two}}), 1);
    ck_assert_uint_eq(load({{"model_ema", dict({{"n_averaged", count}, {"module.w", two}})}}), 1);
    // Anything else of that name belongs to the network.
    ck_assert_uint_eq(load({{"n_averaged", count}, {"w", two}}), 2);
    ck_assert_uint_eq(load({{"n_averaged", two}, {"module.w", two}}), 2);
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "wrapped checkpoint",
        {each_usual_key_is_found, several_state_dicts_need_a_choice,
         a_key_that_leads_nowhere_is_an_error, a_wrapper_must_hold_a_state_dict,
         what_stands_beside_is_parsed_and_not_read, what_stands_beside_keeps_the_limits,
         one_dict_under_many_keys_costs_nothing, the_count_of_an_average_is_dropped});
}
