// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"

#include "transforms/geometry.h"
#include "transforms/resample_table.h"

#include <cmath>
#include <vector>

using tvw::CropSpan;
using tvw::InterpolationMode;
using tvw::make_resample_table;
using tvw::ResampleTable;
using tvw::Size;

namespace {

constexpr InterpolationMode kModes[] = {InterpolationMode::kNearest, InterpolationMode::kBilinear,
                                        InterpolationMode::kBicubic};

Size resized(Size src, std::vector<int64_t> size) {
    return tvw::resized_size(src, size);
}

/// Calls `visit(table, source size, output size)` for every mode and many pairs of sizes.
template<typename Visit>
void for_each_table(Visit visit) {
    for (const InterpolationMode mode : kModes) {
        for (const bool antialias : {false, true}) {
            for (const int64_t src : {1, 2, 3, 7, 100, 341, 1080}) {
                for (const int64_t dst : {1, 2, 3, 21, 100, 224, 300})
                    visit(make_resample_table(mode, antialias, src, dst, 0, dst), src, dst);
            }
        }
    }
}

} // namespace

START_TEST(short_side_gets_the_size_and_long_side_is_cut_off) {
    ck_assert(resized({333, 517}, {232}) == (Size{232, 360}));
    ck_assert(resized({517, 333}, {232}) == (Size{360, 232}));
    ck_assert(resized({1, 1}, {256}) == (Size{256, 256}));
    ck_assert(resized({1080, 1920}, {232}) == (Size{232, 412}));
    ck_assert(resized({480, 640}, {128, 171}) == (Size{128, 171}));
}
END_TEST

START_TEST(crop_offsets_round_half_to_even) {
    ck_assert(tvw::center_crop(231, 224) == (CropSpan{4, 224, 0}));
    ck_assert(tvw::center_crop(229, 224) == (CropSpan{2, 224, 0}));
    ck_assert(tvw::center_crop(227, 224) == (CropSpan{2, 224, 0}));
    ck_assert(tvw::center_crop(225, 224) == (CropSpan{0, 224, 0}));
    ck_assert(tvw::center_crop(224, 224) == (CropSpan{0, 224, 0}));
}
END_TEST

START_TEST(a_small_picture_gets_the_odd_zero_behind_it) {
    ck_assert(tvw::center_crop(7, 10) == (CropSpan{0, 7, 1}));
    ck_assert(tvw::center_crop(6, 10) == (CropSpan{0, 6, 2}));
}
END_TEST

START_TEST(weights_of_every_output_sum_to_one) {
    for_each_table([](const ResampleTable &table, int64_t src, int64_t dst) {
        for (size_t i = 0; i < table.windows.size(); ++i) {
            double sum = 0;
            for (int k = 0; k < table.windows[i].count; ++k)
                sum += table.weights[i * size_t(table.taps) + size_t(k)];
            ck_assert_msg(std::abs(sum - 1) < 2e-6, "%ld to %ld: %g", src, dst, sum);
        }
    });
}
END_TEST

START_TEST(windows_move_forward_inside_the_source) {
    for_each_table([](const ResampleTable &table, int64_t src, int64_t) {
        ck_assert(0 <= table.begin && table.end <= src);
        int previous = 0;
        for (const tvw::ResampleWindow &window : table.windows) {
            ck_assert_int_ge(window.first, previous);
            ck_assert_int_ge(window.count, 1);
            ck_assert_int_le(window.count, table.taps);
            ck_assert(table.begin + window.first + window.count <= table.end);
            previous = window.first;
        }
    });
}
END_TEST

START_TEST(a_run_of_outputs_is_a_part_of_all_of_them) {
    const auto mode = InterpolationMode::kBicubic;
    const ResampleTable all = make_resample_table(mode, true, 1080, 256, 0, 256);
    const ResampleTable part = make_resample_table(mode, true, 1080, 256, 16, 224);
    ck_assert_int_gt(part.begin, 0);
    for (size_t i = 0; i < part.windows.size(); ++i) {
        const auto &ours = part.windows[i];
        const auto &whole = all.windows[i + 16];
        ck_assert_int_eq(part.begin + ours.first, all.begin + whole.first);
        ck_assert_int_eq(ours.count, whole.count);
        for (size_t k = 0; k < size_t(ours.count); ++k) {
            ck_assert_float_eq(part.weights[i * size_t(part.taps) + k],
                               all.weights[(i + 16) * size_t(all.taps) + k]);
        }
    }
}
END_TEST

START_TEST(doubling_bilinearly_mixes_one_to_three) {
    const ResampleTable table =
        make_resample_table(InterpolationMode::kBilinear, true, 8, 16, 2, 1);
    ck_assert_int_eq(table.windows[0].count, 2);
    ck_assert_float_eq(table.weights[0], 0.25F);
    ck_assert_float_eq(table.weights[1], 0.75F);
}
END_TEST

START_TEST(an_axis_that_keeps_its_size_is_copied) {
    const ResampleTable table = make_resample_table(InterpolationMode::kBicubic, true, 9, 9, 0, 9);
    ck_assert_int_eq(table.taps, 1);
    for (int i = 0; i < 9; ++i) {
        ck_assert_int_eq(table.windows[size_t(i)].first, i);
        ck_assert_float_eq(table.weights[size_t(i)], 1.0F);
    }
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "resample",
        {short_side_gets_the_size_and_long_side_is_cut_off, crop_offsets_round_half_to_even,
         a_small_picture_gets_the_odd_zero_behind_it, weights_of_every_output_sum_to_one,
         windows_move_forward_inside_the_source, a_run_of_outputs_is_a_part_of_all_of_them,
         doubling_bilinearly_mixes_one_to_three, an_axis_that_keeps_its_size_is_copied});
}
