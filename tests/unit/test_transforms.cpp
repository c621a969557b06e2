// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/random_frames.h"
#include "support/suite.h"

#include <tvw/transforms.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <vector>

using tvw::ColorMatrix;
using tvw::ColorRange;
using tvw::ErrorKind;
using tvw::FrameView;
using tvw::ImageClassification;
using tvw::PixelFormat;
using tvw::Preprocessor;
using tvw::Region;
using tvw::test::contains;
using tvw::test::error_of;

namespace {

using Bytes = std::vector<uint8_t>;
using tvw::test::Random;

unsigned seed() {
    static const unsigned value = tvw::test::printed_seed("transforms");
    return value;
}

double resident_megabytes() {
    long total = 0;
    long resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return double(resident * sysconf(_SC_PAGESIZE)) / 1e6;
}

Bytes noise(size_t count) {
    std::minstd_rand random(11);
    Bytes bytes(count);
    for (uint8_t &byte : bytes)
        byte = uint8_t(random() >> 8);
    return bytes;
}

FrameView frame_of(PixelFormat format, int width, int height, const uint8_t *data,
                   ptrdiff_t stride) {
    FrameView frame;
    frame.format = format;
    frame.width = width;
    frame.height = height;
    frame.planes[0] = {data, stride};
    return frame;
}

ImageClassification preset_of(int64_t resize, int64_t crop) {
    ImageClassification preset;
    preset.resize_size = {resize};
    preset.crop_size = {crop};
    return preset;
}

Bytes levels(const ImageClassification &preset, const FrameView &frame,
             std::optional<Region> region = {}) {
    Preprocessor preprocessor(preset);
    Bytes result(size_t(tvw::numel(preprocessor.output_shape())));
    preprocessor.run_uint8(frame, result, region);
    return result;
}

/// The frame's own pixels, planar, as the preset sees them.
Bytes pixels(const FrameView &frame, std::optional<Region> region = {}) {
    const Region area = region.value_or(Region{0, 0, frame.width, frame.height});
    ImageClassification preset;
    preset.resize_size = preset.crop_size = {area.height, area.width};
    return levels(preset, frame, region);
}

/// Red, green and blue of a single pixel in Y'CbCr.
Bytes color(uint8_t y, uint8_t u, uint8_t v, ColorMatrix matrix, ColorRange range) {
    const uint8_t uv[] = {u, v};
    FrameView frame = frame_of(PixelFormat::kNV12, 1, 1, &y, 1);
    frame.planes[1] = {uv, 2};
    frame.matrix = matrix;
    frame.range = range;
    return pixels(frame);
}

/// Y'CbCr 4:2:0 of noise, in both layouts.
struct Subsampled {
    static constexpr ptrdiff_t kWidth = 13;
    static constexpr ptrdiff_t kHeight = 9;
    static constexpr ptrdiff_t kChroma = 7; ///< a row; 5 rows
    Bytes y = noise(kWidth * kHeight);
    Bytes u = noise(kChroma * 5);
    Bytes v = Bytes(u.rbegin(), u.rend());
    Bytes uv;

    Subsampled() {
        for (size_t i = 0; i < u.size(); ++i)
            uv.insert(uv.end(), {u[i], v[i]});
    }
    FrameView i420() const {
        FrameView frame = frame_of(PixelFormat::kI420, kWidth, kHeight, y.data(), kWidth);
        frame.planes[1] = {u.data(), kChroma};
        frame.planes[2] = {v.data(), kChroma};
        return frame;
    }
    FrameView nv12() const {
        FrameView frame = frame_of(PixelFormat::kNV12, kWidth, kHeight, y.data(), kWidth);
        frame.planes[1] = {uv.data(), ptrdiff_t{2} * kChroma};
        return frame;
    }
};

} // namespace

#ifdef __SANITIZE_ADDRESS__
/// It keeps what is freed, by default 256 MB of it, which would look like growth.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" [[gnu::visibility("default")]] const char *__asan_default_options();
const char *__asan_default_options() { // NOLINT(bugprone-reserved-identifier)
    return "quarantine_size_mb=1";
}
#endif

START_TEST(every_packed_order_gives_the_same_rgb) {
    constexpr ptrdiff_t kWidth = 5;
    constexpr ptrdiff_t kHeight = 3;
    const Bytes rgb = noise(3 * kWidth * kHeight);
    const Bytes expected =
        pixels(frame_of(PixelFormat::kRGB, kWidth, kHeight, rgb.data(), 3 * kWidth));
    struct Order {
        PixelFormat format;
        size_t step, red, blue;
    };
    for (const Order &order :
         {Order{PixelFormat::kBGR, 3, 2, 0}, Order{PixelFormat::kRGBA, 4, 0, 2},
          Order{PixelFormat::kBGRA, 4, 2, 0}, Order{PixelFormat::kRGBx, 4, 0, 2},
          Order{PixelFormat::kBGRx, 4, 2, 0}}) {
        Bytes packed(order.step * kWidth * kHeight, 77);
        for (size_t i = 0; i < size_t{kWidth} * kHeight; ++i) {
            packed[order.step * i + order.red] = rgb[3 * i];
            packed[order.step * i + 1] = rgb[3 * i + 1];
            packed[order.step * i + order.blue] = rgb[3 * i + 2];
        }
        ck_assert(pixels(frame_of(order.format, kWidth, kHeight, packed.data(),
                                  ptrdiff_t(order.step) * kWidth)) == expected);
    }
}
END_TEST

START_TEST(i420_and_nv12_agree) {
    const Subsampled picture;
    ck_assert(pixels(picture.i420()) == pixels(picture.nv12()));
}
END_TEST

START_TEST(matrix_and_range_are_honoured) {
    using enum ColorMatrix;
    for (const ColorMatrix matrix : {kBT601, kBT709, kBT2020}) {
        ck_assert(color(16, 128, 128, matrix, ColorRange::kLimited) == (Bytes{0, 0, 0}));
        ck_assert(color(235, 128, 128, matrix, ColorRange::kLimited) == (Bytes{255, 255, 255}));
        ck_assert(color(7, 128, 128, matrix, ColorRange::kFull) == (Bytes{7, 7, 7}));
    }
    // R = Y + 2 (1 - Kr) V and so on, by hand.
    ck_assert(color(81, 90, 240, kBT601, ColorRange::kLimited) == (Bytes{254, 0, 0}));
    ck_assert(color(100, 148, 98, kBT709, ColorRange::kFull) == (Bytes{53, 110, 137}));
    ck_assert(color(100, 148, 98, kBT2020, ColorRange::kFull) == (Bytes{56, 114, 138}));
}
END_TEST

START_TEST(gray_fills_all_channels_by_its_range) {
    const uint8_t y = 126;
    FrameView frame = frame_of(PixelFormat::kGRAY8, 1, 1, &y, 1);
    frame.range = ColorRange::kFull;
    ck_assert(pixels(frame) == (Bytes{126, 126, 126}));
    frame.range = ColorRange::kLimited;
    ck_assert(pixels(frame) == (Bytes{128, 128, 128}));
}
END_TEST

START_TEST(strides_may_be_long_or_negative) {
    constexpr ptrdiff_t kWidth = 6;
    constexpr ptrdiff_t kHeight = 4;
    constexpr ptrdiff_t kStride = 25;
    const Bytes padded = noise(kStride * kHeight);
    Bytes tight;
    Bytes upside_down;
    for (ptrdiff_t row = 0; row < kHeight; ++row) {
        const auto begin = padded.begin() + row * kStride;
        tight.insert(tight.end(), begin, begin + 3 * kWidth);
        upside_down.insert(upside_down.begin(), begin, begin + 3 * kWidth);
    }
    const auto preset = preset_of(17, 15);
    const auto rgb = PixelFormat::kRGB;
    const Bytes expected = levels(preset, frame_of(rgb, kWidth, kHeight, tight.data(), 3 * kWidth));
    ck_assert(levels(preset, frame_of(rgb, kWidth, kHeight, padded.data(), kStride)) == expected);
    const uint8_t *top = upside_down.data() + ptrdiff_t{kHeight - 1} * 3 * kWidth;
    ck_assert(levels(preset, frame_of(rgb, kWidth, kHeight, top, -3 * kWidth)) == expected);
}
END_TEST

START_TEST(a_region_equals_cropping_beforehand) {
    const Subsampled picture;
    const Region region = {3, 1, 7, 5};
    const Bytes rgb = pixels(picture.nv12(), region);
    Bytes packed;
    for (size_t i = 0; i < rgb.size() / 3; ++i) {
        for (size_t c = 0; c < 3; ++c)
            packed.push_back(rgb[c * (rgb.size() / 3) + i]);
    }
    const auto cropped = frame_of(PixelFormat::kRGB, region.width, region.height, packed.data(),
                                  ptrdiff_t{3} * region.width);
    const auto preset = preset_of(12, 10);
    ck_assert(levels(preset, picture.nv12(), region) == levels(preset, cropped));
    ck_assert(levels(preset, picture.i420(), region) == levels(preset, cropped));
}
END_TEST

START_TEST(padding_is_black_before_it_is_normalised) {
    const Bytes white(size_t{3} * 2 * 2, 255);
    Preprocessor preprocessor(preset_of(2, 5));
    std::vector<float> values(size_t{3} * 5 * 5);
    preprocessor.run(frame_of(PixelFormat::kRGB, 2, 2, white.data(), 6), values);
    const ImageClassification preset;
    for (size_t i = 0; i < values.size(); ++i) {
        const size_t c = i / 25;
        const size_t y = i / 5 % 5;
        const size_t x = i % 5;
        const bool inside = y >= 1 && y < 3 && x >= 1 && x < 3;
        const float level = inside ? 1 : 0;
        ck_assert_float_eq(values[i], (level - float(preset.mean[c])) / float(preset.std[c]));
    }
}
END_TEST

START_TEST(parts_of_an_image_are_together_the_image) {
    Random random(seed());
    constexpr int kMost = 90;
    const Bytes bytes = noise(size_t{3} * kMost * kMost);
    // One after the other in one preprocessor, which must not take one part's tables for another.
    for (int round = 0; round < 40; ++round) {
        const int crop = 1 + random.below(60); // larger than what is resized: rows of zeros
        Preprocessor preprocessor(preset_of(20 + random.below(20), crop));
        const auto frame = frame_of(PixelFormat::kRGB, 1 + random.below(kMost),
                                    1 + random.below(kMost), bytes.data(), 3 * kMost);
        std::vector<float> whole(size_t{3} * size_t(crop) * size_t(crop));
        std::vector<float> parts(whole.size(), NAN);
        preprocessor.run(frame, whole);
        const int count = 1 + random.below(5);
        for (int part = 0; part < count; ++part)
            preprocessor.run_part(frame, parts, {}, part, count);
        ck_assert(parts == whole);
    }
    std::vector<float> out(3);
    const auto frame = frame_of(PixelFormat::kRGB, 1, 1, bytes.data(), 3);
    for (const int part : {-1, 2}) {
        const auto error =
            error_of([&] { Preprocessor(preset_of(1, 1)).run_part(frame, out, {}, part, 2); });
        ck_assert(error && contains(error->what(), "part " + std::to_string(part) + " of 2"));
    }
}
END_TEST

START_TEST(another_size_in_between_changes_nothing) {
    const Bytes bytes = noise(size_t{3} * 40 * 30);
    const auto large = frame_of(PixelFormat::kRGB, 40, 30, bytes.data(), 120);
    const auto tiny = frame_of(PixelFormat::kRGB, 1, 1, bytes.data(), 3);
    Preprocessor preprocessor(preset_of(16, 14));
    Bytes first(size_t{3} * 14 * 14);
    Bytes second(first.size());
    preprocessor.run_uint8(large, first);
    preprocessor.run_uint8(tiny, second);
    ck_assert(std::all_of(second.begin(), second.begin() + 196,
                          [&](uint8_t level) { return level == bytes[0]; }));
    preprocessor.run_uint8(large, second);
    ck_assert(first == second);
}
END_TEST

START_TEST(a_very_long_frame_costs_only_what_the_crop_keeps) {
    constexpr int kHeight = 1 << 24;
    Bytes gray(kHeight, 9);
    auto frame = frame_of(PixelFormat::kGRAY8, 1, kHeight, gray.data(), 1);
    frame.range = ColorRange::kFull;
    const Bytes result = levels(preset_of(256, 224), frame);
    ck_assert(std::all_of(result.begin(), result.end(), [](uint8_t level) { return level == 9; }));
}
END_TEST

START_TEST(memory_does_not_grow_with_the_number_of_frame_sizes) {
    const bool in_full = std::getenv("TVW_LONG") != nullptr;
    const int frames = in_full ? 100'000 : 2'000;
    Random random(seed());
    constexpr int kMost = 500;
    const Bytes bytes = noise(size_t{4} * kMost * kMost);
    std::vector<Preprocessor> preprocessors;
    preprocessors.emplace_back(preset_of(64, 56));
    preprocessors.emplace_back(preset_of(64, 56), tvw::PreprocessMode::kFast);
    std::vector<float> out(size_t{3} * 56 * 56);
    const auto run = [&](int width, int height) {
        FrameView frame = frame_of(PixelFormat::kNV12, width, height, bytes.data(), width + 1);
        frame.planes[1] = {bytes.data(), width + 1};
        for (Preprocessor &preprocessor : preprocessors)
            preprocessor.run(frame, out);
    };
    run(kMost, kMost);
    const double before = resident_megabytes();
    for (int i = 0; i < frames; ++i)
        run(1 + random.below(kMost), 1 + random.below(kMost));
    const double grown = resident_megabytes() - before;
    std::printf("%d frame sizes: %.1f MB more\n", frames, grown);
    ck_assert_double_le(grown, in_full ? 50 : 10);
}
END_TEST

START_TEST(a_clip_has_its_channels_before_its_frames) {
    const Bytes bytes = noise(size_t{2} * 3 * 20 * 16);
    tvw::VideoClassification preset;
    preset.resize_size = {12, 14};
    preset.crop_size = {8, 10};
    Preprocessor preprocessor(preset);
    std::vector<FrameView> frames;
    for (size_t t = 0; t < 2; ++t)
        frames.push_back(frame_of(PixelFormat::kRGB, 20, 16, &bytes[t * 960], 60));
    std::vector<float> clip(size_t{3} * 2 * 80);
    preprocessor.run_clip(frames, clip);
    for (size_t t = 0; t < 2; ++t) {
        std::vector<float> one(size_t{3} * 80);
        preprocessor.run(frames[t], one);
        for (size_t c = 0; c < 3; ++c) {
            ck_assert(std::equal(&one[c * 80], &one[c * 80] + 80, &clip[(c * 2 + t) * 80]));
        }
    }
    frames[1].width = 19;
    const auto error = error_of([&] { preprocessor.run_clip(frames, clip); });
    ck_assert(error && contains(error->what(), "frame 1 of the clip"));
}
END_TEST

START_TEST(presets_without_a_crop_follow_the_size_of_the_frame) {
    Preprocessor preprocessor{tvw::ObjectDetection{}};
    ck_assert(preprocessor.output_shape(7, 5) == (tvw::Shape{3, 5, 7}));
    const auto error = error_of([&] { preprocessor.output_shape(); });
    ck_assert(error && contains(error->what(), "ObjectDetection"));
    tvw::SemanticSegmentation preset;
    preset.resize_size = {10};
    ck_assert(Preprocessor(preset).output_shape(40, 20) == (tvw::Shape{3, 10, 20}));
}
END_TEST

START_TEST(fast_equals_exact_where_a_frame_has_one_colour) {
    const Bytes y(size_t{33} * 21, 97);
    const Bytes uv(size_t{34} * 11, 171);
    FrameView frame = frame_of(PixelFormat::kNV12, 33, 21, y.data(), 33);
    frame.planes[1] = {uv.data(), 34};
    for (const Region &region : {Region{0, 0, 33, 21}, Region{3, 5, 7, 9}, Region{32, 20, 1, 1}}) {
        Bytes results[2];
        for (int mode = 0; mode < 2; ++mode) {
            Preprocessor preprocessor(preset_of(16, 12), tvw::PreprocessMode(mode));
            results[mode].resize(size_t{3} * 12 * 12);
            preprocessor.run_uint8(frame, results[mode], region);
        }
        ck_assert(results[0] == results[1]);
    }
}
END_TEST

START_TEST(fast_respects_where_chroma_sits) {
    // A ramp of chroma along one axis: what is at which place follows from the site alone.
    constexpr int kSide = 64;
    const Bytes y(size_t{kSide} * kSide, 128);
    for (const auto site : {tvw::ChromaSite::kCentered, tvw::ChromaSite::kCosited}) {
        Bytes u(size_t{kSide} / 2 * kSide / 2);
        for (size_t i = 0; i < u.size(); ++i)
            u[i] = uint8_t(64 + 4 * (i % (kSide / 2)));
        FrameView frame = frame_of(PixelFormat::kI420, kSide, kSide, y.data(), kSide);
        frame.planes[1] = frame.planes[2] = {u.data(), kSide / 2};
        frame.horizontal = frame.vertical = site;
        Bytes results[2];
        for (int mode = 0; mode < 2; ++mode) {
            Preprocessor preprocessor(preset_of(16, 8), tvw::PreprocessMode(mode));
            results[mode].resize(size_t{3} * 8 * 8);
            preprocessor.run_uint8(frame, results[mode]);
        }
        for (size_t i = 0; i < results[0].size(); ++i)
            ck_assert_int_le(std::abs(results[0][i] - results[1][i]), 1);
    }
}
END_TEST

START_TEST(a_frame_that_cannot_be_read_is_refused) {
    const uint8_t byte = 0;
    Preprocessor preprocessor(preset_of(8, 8));
    Bytes out(size_t{3} * 8 * 8);
    const auto message = [&](const FrameView &frame, std::optional<Region> region = {}) {
        const auto error = error_of([&] { preprocessor.run_uint8(frame, out, region); });
        ck_assert(error && error->kind() == ErrorKind::kInvalidArgument);
        return std::string(error->what());
    };
    ck_assert(contains(message(frame_of(PixelFormat::kRGB, 0, 4, &byte, 3)), "0×4"));
    ck_assert(contains(message(frame_of(PixelFormat::kRGB, 4, 4, nullptr, 12)), "no data"));
    ck_assert(contains(message(frame_of(PixelFormat::kBGRx, 4, 4, &byte, 12)), "16 bytes a row"));
    ck_assert(contains(message(frame_of(PixelFormat::kNV12, 3, 3, &byte, 3)), "plane 1"));
    const auto good = frame_of(PixelFormat::kGRAY8, 1, 1, &byte, 1);
    for (const Region &region : {Region{0, 0, 2, 1}, Region{1, 0, 1, 1}, Region{-1, 0, 1, 1},
                                 Region{0, 0, 0, 1}, Region{0, 0, 1, INT32_MAX}})
        ck_assert(contains(message(good, region), "not inside the frame of 1×1"));
    out.pop_back();
    ck_assert(contains(message(good), "191"));
}
END_TEST

START_TEST(a_preset_that_torchvision_would_refuse_is_refused) {
    const auto refuses = [](auto change) {
        ImageClassification preset = preset_of(256, 224);
        change(preset);
        const auto error = error_of([&] { Preprocessor{preset}; });
        return error && error->kind() == ErrorKind::kInvalidArgument;
    };
    ck_assert(!refuses([](ImageClassification &) {}));
    ck_assert(!refuses([](ImageClassification &p) { p.mean = {0.5}; }));
    ck_assert(refuses([](ImageClassification &p) { p.crop_size = {}; }));
    ck_assert(refuses([](ImageClassification &p) { p.crop_size = {0}; }));
    ck_assert(refuses([](ImageClassification &p) { p.resize_size = {1, 2, 3}; }));
    ck_assert(refuses([](ImageClassification &p) { p.resize_size = {int64_t{1} << 40}; }));
    ck_assert(refuses([](ImageClassification &p) { p.std = {0.2, 1e-60, 0.2}; }));
    ck_assert(refuses([](ImageClassification &p) { p.mean = {0.5, 0.5}; }));
}
END_TEST

int main() {
    seed(); // one for all of the suite's processes
    return tvw::test::run_suite(
        "transforms",
        {every_packed_order_gives_the_same_rgb, i420_and_nv12_agree, matrix_and_range_are_honoured,
         gray_fills_all_channels_by_its_range, strides_may_be_long_or_negative,
         a_region_equals_cropping_beforehand, padding_is_black_before_it_is_normalised,
         parts_of_an_image_are_together_the_image, another_size_in_between_changes_nothing,
         a_very_long_frame_costs_only_what_the_crop_keeps,
         memory_does_not_grow_with_the_number_of_frame_sizes,
         a_clip_has_its_channels_before_its_frames,
         presets_without_a_crop_follow_the_size_of_the_frame,
         fast_equals_exact_where_a_frame_has_one_colour, fast_respects_where_chroma_sits,
         a_frame_that_cannot_be_read_is_refused,
         a_preset_that_torchvision_would_refuse_is_refused});
}
