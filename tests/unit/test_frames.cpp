// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames of every format on every instruction set, against the scalar definition of a pixel; and
// that definition against one in double precision, written from the standards.
#include "support/random_frames.h"
#include "support/suite.h"
#include "support/targets.h"

#include "transforms/frame_blocks.h"
#include "transforms/row_kernels.h"
#include "transforms/source.h"
#include "transforms/yuv_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

using tvw::BlockLayout;
using tvw::ChromaSite;
using tvw::ColorMatrix;
using tvw::ColorRange;
using tvw::FrameBlocks;
using tvw::kBlockRows;
using tvw::PixelFormat;
using tvw::Region;
using tvw::pixel::SampleKind;
using tvw::test::for_each_target;
using tvw::test::kFormats;
using tvw::test::Random;
using tvw::test::RandomFrame;

namespace {

unsigned seed() {
    static const unsigned value = tvw::test::printed_seed("frames");
    return value;
}

/// The chroma of a pixel along one axis: linear between the samples around it.
struct Position {
    int first;
    int second;
    double weight; ///< of the second
};

Position chroma_position(int pixel, int pixels, bool halved, ChromaSite site) {
    if (!halved)
        return {pixel, pixel, 0};
    const int samples = (pixels + 1) / 2;
    const double at = site == ChromaSite::kCosited ? pixel / 2.0 : (pixel + 0.5) / 2 - 0.5;
    const double inside = std::clamp(at, 0.0, samples - 1.0);
    const int first = int(inside);
    return {first, std::min(first + 1, samples - 1), inside - first};
}

/// R'G'B' of a pixel before it is rounded, of formats with chroma.
std::array<double, 3> exact_rgb(const RandomFrame &frame, int x, int y) {
    const tvw::FrameView &view = frame.view();
    const tvw::pixel::Source source = tvw::make_source(view);
    const auto sample = [&](size_t c, int column, int row) {
        return double(tvw::pixel::sample_at(source.sample, source.component[c], column, row));
    };
    const Position column =
        chroma_position(x, view.width, frame.layout().half_width, view.horizontal);
    const Position row = chroma_position(y, view.height, frame.layout().half_height, view.vertical);
    const auto chroma = [&](size_t c) {
        const auto across = [&](int at) {
            return sample(c, column.first, at) * (1 - column.weight) +
                   sample(c, column.second, at) * column.weight;
        };
        return across(row.first) * (1 - row.weight) + across(row.second) * row.weight;
    };
    const double most = source.sample == SampleKind::kByte ? 255 : 1023;
    const double one = source.sample == SampleKind::kByte ? 1 : 4; // a level of limited range
    const bool limited = view.range == ColorRange::kLimited;
    const double luma =
        limited ? (sample(0, x, y) - 16 * one) / (219 * one) : sample(0, x, y) / most;
    const double span = limited ? 224 * one : most;
    const double pb = (chroma(1) - 128 * one) / span;
    const double pr = (chroma(2) - 128 * one) / span;
    const auto [kr, kb] = view.matrix == ColorMatrix::kBT601   ? std::pair(0.299, 0.114)
                          : view.matrix == ColorMatrix::kBT709 ? std::pair(0.2126, 0.0722)
                                                               : std::pair(0.2627, 0.0593);
    const double red = luma + 2 * (1 - kr) * pr;
    const double blue = luma + 2 * (1 - kb) * pb;
    const double green = (luma - kr * red - kb * blue) / (1 - kr - kb);
    return {red * 255, green * 255, blue * 255};
}

/// What FrameBlocks makes of a region, checked pixel by pixel.
void check_region(const RandomFrame &frame, const Region &region, const char *target) {
    const tvw::pixel::Source source = tvw::make_source(frame.view());
    FrameBlocks blocks;
    blocks.open(source, region, nullptr);
    const BlockLayout &layout = blocks.layout();
    const auto width = size_t(region.width);
    const auto block_rows = int(blocks.rows());
    std::vector<float> block(layout.groups * blocks.group_floats());
    for (int first = 0; first < region.height; first += block_rows) {
        blocks.read(size_t(first));
        const size_t half = width / 2 / tvw::kColumnGroup * tvw::kColumnGroup;
        if (half > 0)
            blocks.pack(0, half, block.data());
        blocks.pack(half, width, block.data());
        const int rows = std::min(block_rows, region.height - first);
        for (int r = 0; r < rows; ++r) {
            for (int x = 0; x < region.width; ++x) {
                const auto rgb = tvw::pixel::rgb_at(source, region.x + x, region.y + first + r);
                const int expected[] = {rgb.r, rgb.g, rgb.b};
                for (size_t c = 0; c < 3; ++c) {
                    const size_t channel = layout.channels == 1 ? 0 : c;
                    const float actual = block[size_t(r) / kBlockRows * blocks.group_floats() +
                                               size_t(x) * layout.pixel + layout.first[channel] +
                                               size_t(r) % kBlockRows];
                    ck_assert_msg(actual == float(expected[c]),
                                  "%s %s %dx%d region %dx%d+%d+%d, channel %zu of (%d, %d): %g, "
                                  "expected %d",
                                  target, frame.layout().name, frame.view().width,
                                  frame.view().height, region.width, region.height, region.x,
                                  region.y, c, x, first + r, double(actual), expected[c]);
                }
            }
        }
    }
}

} // namespace

START_TEST(every_format_equals_the_definition_on_every_target) {
    for_each_target([](const char *target) {
        Random random(seed());
        for (int round = 0; round < 12; ++round) {
            for (const auto &layout : kFormats) {
                const RandomFrame frame(layout, random);
                check_region(frame, tvw::test::random_region(frame.view(), random), target);
            }
        }
    });
}
END_TEST

START_TEST(the_definition_equals_double_precision) {
    Random random(seed());
    size_t values = 0;
    size_t unequal = 0;
    for (int round = 0; round < 24; ++round) {
        for (const auto &layout : kFormats) {
            if (!layout.has_chroma)
                continue;
            const RandomFrame frame(layout, random);
            const tvw::pixel::Source source = tvw::make_source(frame.view());
            for (int y = 0; y < frame.view().height; ++y) {
                for (int x = 0; x < frame.view().width; ++x) {
                    const auto rgb = tvw::pixel::rgb_at(source, x, y);
                    const auto exact = exact_rgb(frame, x, y);
                    const int levels[] = {rgb.r, rgb.g, rgb.b};
                    for (size_t c = 0; c < 3; ++c) {
                        const double distance =
                            std::abs(std::clamp(exact[c], 0.0, 255.0) - levels[c]);
                        ck_assert_msg(distance <= 0.505, "%s: %g, not %d", layout.name, exact[c],
                                      levels[c]);
                        unequal += distance > 0.5 ? 1 : 0;
                        ++values;
                    }
                }
            }
        }
    }
    ck_assert_msg(double(unequal) <= 1e-3 * double(values), "%zu of %zu", unequal, values);
}
END_TEST

START_TEST(row_kernels_give_the_same_bits_on_every_target) {
    constexpr size_t kWidth = 97;
    constexpr size_t kOutputs = 41;
    constexpr size_t kRow = 3 * kOutputs;
    Random random(seed());
    std::vector<uint8_t> bytes(kBlockRows * 3 * kWidth);
    for (uint8_t &byte : bytes)
        byte = random.byte();
    std::array<const uint8_t *, kBlockRows> rows{};
    for (size_t r = 0; r < rows.size(); ++r)
        rows[r] = &bytes[r * 3 * kWidth];
    const tvw::ResampleTable table = tvw::make_resample_table(tvw::InterpolationMode::kBicubic,
                                                              true, kWidth, kOutputs, 0, kOutputs);
    std::array<size_t, kOutputs> order{};
    for (size_t i = 0; i < kOutputs; ++i)
        order[i] = i;
    const BlockLayout layout = {3 * kBlockRows, 3, 1, {0, kBlockRows, 2 * kBlockRows}};
    const auto resize = [&] {
        std::vector<float> block(bytes.size());
        tvw::pack_bytes(rows, 3 * kWidth, kBlockRows, block.data());
        std::vector<float> lines(kBlockRows * kRow);
        for (size_t i = 0; i < kOutputs; i += tvw::kOutputGroup) {
            tvw::resize_horizontally(table, i, std::min(i + tvw::kOutputGroup, kOutputs), &order[i],
                                     {layout, block.data(), block.size(), lines.data(), kRow});
        }
        std::array<const float *, kBlockRows> taps{};
        for (size_t k = 0; k < taps.size(); ++k)
            taps[k] = &lines[k * kRow];
        const float weights[] = {-0.1F, 0.3F, 0.31F, 0.29F, 0.2F, 0.1F, -0.07F, -0.03F};
        std::vector<uint8_t> levels(kRow);
        const tvw::ResampleWindow window = {0, int(kBlockRows), 5};
        tvw::resize_vertically(window, weights, taps.data(), kRow, levels.data());
        return std::tuple{block, lines, levels};
    };
    std::optional<decltype(resize())> first;
    for_each_target([&](const char *target) {
        const auto result = resize();
        ck_assert_msg(!first || *first == result, "%s differs from the best target", target);
        first = result;
    });
}
END_TEST

START_TEST(levels_are_normalised_as_by_two_divisions) {
    Random random(seed());
    std::array<uint8_t, 256> levels{};
    for (size_t i = 0; i < levels.size(); ++i)
        levels[i] = uint8_t(i);
    for_each_target([&](const char *target) {
        for (int round = 0; round < 500; ++round) {
            const tvw::LevelScale scale = {float(random.below(1000)) / 1000,
                                           float(random.below(100000) + 1) / 70000};
            std::array<float, 256> values{};
            tvw::normalize_levels(levels.data(), levels.size(), scale, values.data());
            for (size_t i = 0; i < levels.size(); ++i) {
                const float expected = (float(i) / 255.0F - scale.mean) / scale.std;
                ck_assert_msg(values[i] == expected, "%s: level %zu, mean %g, std %g", target, i,
                              double(scale.mean), double(scale.std));
            }
        }
    });
}
END_TEST

START_TEST(bytes_of_rgb_and_planes_are_read_where_they_lie) {
    Random random(seed());
    for (const auto &layout : kFormats) {
        if (layout.has_chroma)
            continue;
        const RandomFrame frame(layout, random);
        const tvw::pixel::Source source = tvw::make_source(frame.view());
        tvw::FrameRows rows;
        rows.open(source, {0, 0, frame.view().width, frame.view().height}, 1);
        const tvw::RowStrands row = rows.read(0);
        const tvw::RowLayout &places = rows.layout();
        const bool converted =
            layout.format == PixelFormat::kGRAY8 && frame.view().range == ColorRange::kLimited;
        for (size_t c = 0; c < places.channels; ++c)
            ck_assert(converted ||
                      row[places.strand_of(c)] + places.offset[c] == source.component[c].data);
    }
}
END_TEST

namespace {

std::vector<uint8_t> levels_of(const RandomFrame &frame, const tvw::Transforms &preset,
                               tvw::PreprocessMode mode) {
    tvw::Preprocessor preprocessor(preset, mode);
    std::vector<uint8_t> levels(
        size_t(tvw::numel(preprocessor.output_shape(frame.view().width, frame.view().height))));
    preprocessor.run_uint8(frame.view(), levels);
    return levels;
}

} // namespace

START_TEST(fast_is_a_level_from_exact_and_the_same_on_every_target) {
    Random random(seed());
    const tvw::Transforms preset =
        tvw::ImageClassification{.crop_size = {29, 40}, .resize_size = {32}, .antialias = true};
    size_t unequal = 0;
    size_t values = 0;
    for (const auto &layout : kFormats) {
        const RandomFrame frame(layout, random, 150 + random.below(60), 80 + random.below(60));
        const auto exact = levels_of(frame, preset, tvw::PreprocessMode::kExact);
        std::optional<std::vector<uint8_t>> first;
        for_each_target([&](const char *target) {
            const auto fast = levels_of(frame, preset, tvw::PreprocessMode::kFast);
            ck_assert_msg(!first || *first == fast, "%s: %s differs", layout.name, target);
            first = fast;
        });
        for (size_t i = 0; i < exact.size(); ++i) {
            ck_assert_int_le(std::abs(int(exact[i]) - int((*first)[i])), 1);
            unequal += exact[i] != (*first)[i] ? 1 : 0;
        }
        values += exact.size();
    }
    ck_assert_msg(double(unequal) <= 0.02 * double(values), "%zu of %zu", unequal, values);
}
END_TEST

START_TEST(fast_is_a_level_from_exact_in_any_region) {
    Random random(seed());
    for (int round = 0; round < 12; ++round) {
        const bool tall = round % 4 == 0;
        const tvw::Transforms preset = tvw::ImageClassification{
            .crop_size = {24}, .resize_size = {24, 24}, .antialias = round % 3 != 0};
        for (const auto &layout : kFormats) {
            const RandomFrame frame(layout, random, tall ? 41 : 600 + random.below(500),
                                    tall ? 20000 : 60 + random.below(90));
            const Region region = tvw::test::random_region(frame.view(), random);
            std::vector<uint8_t> exact(size_t{3} * 24 * 24);
            std::vector<uint8_t> fast(exact.size());
            tvw::Preprocessor(preset).run_uint8(frame.view(), exact, region);
            tvw::Preprocessor(preset, tvw::PreprocessMode::kFast)
                .run_uint8(frame.view(), fast, region);
            for (size_t i = 0; i < exact.size(); ++i) {
                ck_assert_msg(std::abs(int(exact[i]) - int(fast[i])) <= 1, "%s %dx%d, value %zu",
                              layout.name, region.width, region.height, i);
            }
        }
    }
}
END_TEST

START_TEST(fixed_sums_fit_and_weights_add_up_to_one) {
    Random random(seed());
    for (int round = 0; round < 2000; ++round) {
        const int to = 1 + random.below(64);
        const int from = to + random.below(64 * to);
        const auto mode = tvw::InterpolationMode(random.below(3));
        const auto table = tvw::make_resample_table(mode, random.below(2) == 0, from, to, 0, to);
        const auto fixed = tvw::make_fixed_table(table);
        for (size_t i = 0; i < fixed.windows.size(); ++i) {
            const auto &window = fixed.windows[i];
            int sum = 0;
            int most = 0;
            for (size_t k = 2 * window.first; k < 2 * window.end; ++k) {
                const int weight = fixed.weights_of(window, k / 2)[k % 2];
                const auto tap = int(k) - table.windows[i].first;
                const bool inside = tap >= 0 && tap < table.windows[i].count;
                const float exact =
                    inside ? table.weights[i * size_t(table.taps) + size_t(tap)] : 0.0F;
                ck_assert_float_le(std::abs(float(weight) - exact * float(fixed.one)), 1.01F);
                sum += weight;
                most += std::abs(weight);
            }
            ck_assert_int_eq(sum, fixed.one);
            ck_assert_int_le(most + table.taps, INT16_MAX);
        }
    }
}
END_TEST

int main() {
    seed(); // one for all of the suite's processes
    return tvw::test::run_suite(
        "frames",
        {every_format_equals_the_definition_on_every_target, the_definition_equals_double_precision,
         row_kernels_give_the_same_bits_on_every_target, levels_are_normalised_as_by_two_divisions,
         bytes_of_rgb_and_planes_are_read_where_they_lie,
         fast_is_a_level_from_exact_and_the_same_on_every_target,
         fast_is_a_level_from_exact_in_any_region, fixed_sums_fit_and_weights_add_up_to_one});
}
