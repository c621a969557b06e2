// SPDX-License-Identifier: LGPL-2.1-or-later
// The pickle machine and what it rebuilds, against streams that nobody's torch.save would write.
#include "support/checkpoint_bytes.h"
#include "support/suite.h"

#include <tvw/checkpoint.h>

#include <cmath>
#include <limits>
#include <string>

using namespace std::string_literals;
using tvw::test::dict_pickle;
using tvw::test::load_bytes;
using tvw::test::pickle;
using tvw::test::refusal;
using tvw::test::tensor_of;
using tvw::test::TensorOps;
using tvw::test::torch_zip;
namespace op = tvw::test::op;

namespace {

/// A zip with this data.pkl must be refused, saying `part` and where.
void assert_refused(const std::string &data_pkl, const std::string &part) {
    ck_assert(refusal(torch_zip(data_pkl), part).offset().has_value());
}

void assert_tensor_refused(const TensorOps &tensor, const std::string &part) {
    assert_refused(dict_pickle({{"w", tensor.text()}}), part);
}

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

} // namespace

START_TEST(views_outside_their_storage_are_refused) {
    assert_tensor_refused({.size = op::tuple({5})}, "'w': 5 elements at 0 reach past a storage");
    assert_tensor_refused({.size = op::tuple({2}), .stride = op::tuple({4})}, "reach past");
    assert_tensor_refused({.size = op::tuple({1}), .offset = op::integer(4)}, "reach past");
    assert_tensor_refused({.offset = op::integer(-1)}, "offset is negative");
    assert_tensor_refused({.size = op::tuple({-1})}, "size is negative");
    assert_tensor_refused({.stride = op::tuple({-1})}, "stride is negative");
    assert_tensor_refused({.size = op::tuple({2, 2})}, "2 sizes and 1 strides");
    assert_tensor_refused({.size = op::tuple({1, 1, 1, 1, 1, 1, 1, 1, 1})}, "9 dimensions");
    assert_tensor_refused({.size = "]"}, "size is a list");
}
END_TEST

START_TEST(numbers_that_overflow_are_refused) {
    constexpr auto kMessage = "does not fit 64 bits";
    assert_tensor_refused({.size = op::tuple({2}), .stride = op::tuple({kHuge})}, kMessage);
    assert_tensor_refused({.size = op::tuple({kHuge, 4}), .stride = op::tuple({0, 0})}, kMessage);
    assert_tensor_refused({.size = op::tuple({0, kHuge, 4}), .stride = op::tuple({0, 0, 0})},
                          kMessage);
    assert_tensor_refused({.offset = op::integer(kHuge)}, kMessage);
    assert_tensor_refused({.numel = kHuge}, "cannot be in a file of");
    assert_tensor_refused({.numel = -4}, "elements is negative");
}
END_TEST

START_TEST(a_stride_of_zero_cannot_fill_the_memory) {
    assert_tensor_refused({.size = op::tuple({int64_t{1} << 42}), .stride = op::tuple({0})},
                          "repeat their elements");
    const TensorOps small{.size = op::tuple({1000}), .stride = op::tuple({0})};
    const auto loaded = load_bytes(torch_zip(dict_pickle({{"w", small.text()}})));
    ck_assert_float_eq(tensor_of(loaded, "w").contiguous().values<float>()[999], 1);
}
END_TEST

START_TEST(storages_are_what_the_file_has) {
    assert_tensor_refused({.numel = 5}, "has 16 bytes, expected 5×float32");
    assert_tensor_refused({.key = "../../etc/passwd"}, "no entry for storage '../../etc/passwd'");
    assert_tensor_refused({.type = "ComplexFloatStorage"}, "'torch.ComplexFloatStorage' is not");
    assert_tensor_refused({.type = "float32"}, "torch.float32 is not a storage's type");
    assert_tensor_refused({.numel = 16, .type = "QInt8Storage"}, "without scales");
    assert_tensor_refused({.numel = 16, .type = "BoolStorage"}, "bools holds other numbers");
    const TensorOps as_double{.size = op::tuple({2}), .numel = 2, .type = "DoubleStorage"};
    assert_refused(dict_pickle({{"a", TensorOps{}.text()}, {"b", as_double.text()}}),
                   "'b': storage '0' is 2×float64 here and 4×float32 before");
}
END_TEST

START_TEST(names_of_code_are_refused_and_never_looked_up) {
    assert_refused(pickle("cposix\nsystem\n" + op::text("true") + "\x85R"),
                   "'posix.system' is not among the names");
    assert_refused(pickle("c__builtin__\neval\n"), "nothing was executed");
    assert_refused(pickle("ctorchvision.models.resnet\nResNet\n"), "model.state_dict()");
    assert_refused(pickle("ctorch\nfloat32\n)R"), "torch.float32 is not something to call");
    assert_refused(pickle(op::text("x") + ")R"), "what is called is a string");
    assert_refused(pickle("ctorch._utils\n_rebuild_tensor_v2\n)R"), "with 0 arguments");
    assert_refused(pickle("ctorch._utils\n_rebuild_parameter\n(NNNtR"), "data is None");
    assert_refused(pickle(op::text("0") + "Q"), "a persistent id is a string");
    assert_refused(pickle("(" + op::text("module") + "NNNNtQ"), "of kind 'module'");
}
END_TEST

START_TEST(broken_streams_are_refused) {
    assert_refused("", "ends in the middle");
    assert_refused("}.", "a pickle must begin here");
    assert_refused("\x80\xff}.", "pickle protocol 255");
    assert_refused("\x80\x02}", "ends in the middle");
    assert_refused(pickle("s"), "the stack is empty");
    assert_refused(pickle("NNNs"), "applied to None, not a dict");
    assert_refused(pickle("}NNa"), "applied to None, not a list");
    assert_refused(pickle("}(Nu"), "a key without a value");
    assert_refused(pickle("u"), "there is no mark");
    assert_refused(pickle("}("), "1 values and 1 open marks");
    assert_refused(pickle("N(\x85"), "the stack is empty");
    assert_refused(pickle("N(R"), "the stack is empty");
    assert_refused(pickle("h\x05"), "memo slot 5 is empty");
    assert_refused(pickle("(q\x05"), "nothing to remember");
    assert_refused(pickle("Nr\xff\xff\xff\xff"), "memo slot 4294967295");
    assert_refused(pickle("X\xff\xff\xff\xff"), "a string of 4294967295 bytes");
    assert_refused(pickle(op::text("\xc3\x28")), "not UTF-8");
    assert_refused(pickle("\x8a\x09xxxxxxxxx"), "an integer of 9 bytes");
    assert_refused("\x80\x02"
                   "cno line end",
                   "'m/data.pkl' ends in the middle");
    assert_refused(pickle("c" + std::string(5000, 'x')), "a name has no end");
    assert_refused(pickle("}2"), "opcode '2'");                                    // DUP
    assert_refused(pickle("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "opcode 0x8d"); // BINUNICODE8
    assert_refused(pickle("}Nb"), "state is not a dict");
    assert_refused(pickle("}") + "x", "goes on after its end");
}
END_TEST

START_TEST(values_cannot_contain_themselves) {
    assert_refused(pickle("]q\0h\0a"s), "puts a list into itself");
    assert_refused(pickle("]q\0]q\1h\0ah\0h\1a"s), "already part of another value");
    assert_refused(pickle("}q\0"s + op::text("x") + "h\0s"s), "puts a dict into itself");
}
END_TEST

START_TEST(nesting_and_growth_are_bounded) {
    assert_refused(pickle(")" + std::string(1'000'000, '\x85')), "deeper than");
    assert_refused(pickle(std::string(200'000, '(')), "more marks than");
    assert_refused(pickle(std::string(200'000, 'N')), "a stack above");
    std::string wide = "]";
    for (int i = 0; i < 110; ++i)
        wide += "(" + std::string(10'000, 'N') + "e";
    assert_refused(pickle(wide), "more items than");
}
END_TEST

START_TEST(a_memo_bomb_is_never_unfolded) {
    // Every list holds the one before ten times: 10^30 values if anybody copied them.
    std::string bomb = "(]";
    for (char level = 0; level < 30; ++level) {
        bomb += "q"s + level + "](";
        for (int i = 0; i < 10; ++i)
            bomb += "h"s + level;
        bomb += "e";
    }
    assert_refused(dict_pickle({{"w", bomb + "t"}}), "a tuple other than");
}
END_TEST

START_TEST(a_list_cannot_be_asked_for_again_and_again) {
    // Each call is 5 bytes and copies 2,000 pairs.
    std::string calls;
    for (int i = 0; i < 1'000; ++i)
        calls += "h\1h\2R";
    std::string list = "](";
    for (int i = 0; i < 2'000; ++i)
        list += "NN\x86";
    assert_refused(pickle("ccollections\nOrderedDict\nq\1"s + list + "e\x85q\2"s + calls),
                   "more items than");
}
END_TEST

START_TEST(integers_have_one_to_eight_bytes) {
    const auto tensor = [](const std::string &offset) {
        return torch_zip(
            dict_pickle({{"w", TensorOps{.size = op::tuple({1}), .offset = offset}.text()}}));
    };
    for (const std::string &two : {"K\2"s, "M\2\0"s, "J\2\0\0\0"s, "\x8a\1\2"s, "\x8a\3\2\0\0"s})
        ck_assert_int_eq(tensor_of(load_bytes(tensor(two)), "w").offset(), 2);
    ck_assert_int_eq(tensor_of(load_bytes(tensor("\x8a\0"s)), "w").offset(), 0);
    refusal(tensor("\x8a\1\xff"), "negative: -1");
    refusal(tensor("J\xfe\xff\xff\xff"), "negative: -2");
    refusal(tensor("\x8a\x08\0\0\0\0\0\0\0\x80"s), "negative: -9223372036854775808");
}
END_TEST

START_TEST(an_ordered_dict_of_python_2_is_a_list_of_pairs) {
    const std::string pair = "(U\1w" + TensorOps{}.text() + "t";
    const auto loaded =
        load_bytes(torch_zip(pickle("ccollections\nOrderedDict\n](" + pair + "e\x85R")));
    ck_assert_int_eq(tensor_of(loaded, "w").numel(), 4);
    assert_refused(pickle("ccollections\nOrderedDict\n]Na\x85R"), "something else than pairs");
}
END_TEST

namespace {

/// {"w": a 4×4 tensor of qint8} with this quantizer.
std::string quantized(const std::string &quantizer) {
    return dict_pickle({{"w", "ctorch._utils\n_rebuild_qtensor\n(" +
                                  op::storage("0", 16, "QInt8Storage") + op::integer(0) +
                                  op::tuple({4, 4}) + op::tuple({4, 1}) + quantizer + "\x89NtR"}});
}

std::string per_tensor(double scale, int64_t zero_point) {
    return "(ctorch\nper_tensor_affine\n" + op::real(scale) + op::integer(zero_point) + "t";
}

std::string per_channel(const std::string &scales, const std::string &zero_points, int64_t axis) {
    return "(ctorch\nper_channel_affine\n" + scales + zero_points + op::integer(axis) + "t";
}

} // namespace

START_TEST(one_scale_per_tensor_is_positive_and_finite) {
    const auto loaded = load_bytes(torch_zip(quantized(per_tensor(0.5, -3))));
    ck_assert_double_eq(tensor_of(loaded, "w").quantization()->scales[0], 0.5);
    ck_assert_int_eq(tensor_of(loaded, "w").quantization()->zero_points[0], -3);
    for (const double scale : {std::nan(""), 0.0, -1.0, HUGE_VAL})
        assert_refused(quantized(per_tensor(scale, 0)), "a scale of its quantization");
    assert_refused(quantized(per_tensor(1, 128)), "a zero point of its quantization is 128");
    assert_refused(quantized("N"), "without a scheme");
    assert_refused(quantized("(ctorch\nSize\nt"), "the scheme torch.Size");
}
END_TEST

START_TEST(scales_per_channel_are_as_many_as_channels) {
    const std::string scales = "](" + op::real(1) + op::real(2) + op::real(3) + op::real(4) + "e";
    const std::string zeros = "](K\0K\1K\2K\3e"s;
    const auto lists = load_bytes(torch_zip(quantized(per_channel(scales, zeros, 1))));
    ck_assert_int_eq(tensor_of(lists, "w").quantization()->axis, 1);
    ck_assert_double_eq(tensor_of(lists, "w").quantization()->scales[3], 4);
    assert_refused(quantized(per_channel(scales, zeros, 2)), "the axis");
    assert_refused(quantized(per_channel(scales, zeros, -1)), "the axis");
    assert_refused(quantized(per_channel(scales, "](K\0e"s, 1)), "1 zero points for 4 channels");
    assert_refused(quantized(per_channel(zeros, zeros, 1)), "the scales hold an int");
    assert_refused(quantized(per_channel("N", zeros, 1)), "the scales are None");
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "pickle",
        {views_outside_their_storage_are_refused, numbers_that_overflow_are_refused,
         a_stride_of_zero_cannot_fill_the_memory, storages_are_what_the_file_has,
         names_of_code_are_refused_and_never_looked_up, broken_streams_are_refused,
         values_cannot_contain_themselves, nesting_and_growth_are_bounded,
         a_memo_bomb_is_never_unfolded, a_list_cannot_be_asked_for_again_and_again,
         integers_have_one_to_eight_bytes, an_ordered_dict_of_python_2_is_a_list_of_pairs,
         one_scale_per_tensor_is_positive_and_finite, scales_per_channel_are_as_many_as_channels});
}
