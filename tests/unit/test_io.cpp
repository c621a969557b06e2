// SPDX-License-Identifier: LGPL-2.1-or-later
// Links the shared library, as a program does: libtvw-io is looked for beside it.
#include "support/suite.h"
#include "support/temporary_folder.h"

#include <tvw/io.h>

#include <string>
#include <vector>

using tvw::DType;
using tvw::ErrorKind;
using tvw::HostTensor;
using tvw::io::decode_image;
using tvw::io::ImageReadMode;
using tvw::test::contains;
using tvw::test::error_of;

namespace {

using Bytes = std::vector<uint8_t>;

/// [C, H, W] of different values.
HostTensor picture(int64_t channels, int64_t height = 2, int64_t width = 3) {
    HostTensor image = HostTensor::zeros(DType::kUInt8, {channels, height, width});
    uint8_t value = 3;
    for (uint8_t &level : image.mutable_values<uint8_t>())
        level = value += 9;
    return image;
}

/// In C order.
Bytes levels(const HostTensor &image) {
    const HostTensor packed = image.contiguous();
    const auto values = packed.values<uint8_t>();
    return {values.begin(), values.end()};
}

Bytes concatenated(Bytes left, const Bytes &right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

std::string text_of(const Bytes &bytes) {
    return {bytes.begin(), bytes.end()};
}

/// What begins a PNG file of that size.
std::string png_head(uint32_t width, uint32_t height) {
    Bytes bytes = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    for (const uint32_t side : {width, height}) {
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes.push_back(uint8_t(side >> shift));
    }
    for (const int byte : {8, 2, 0, 0, 0})
        bytes.push_back(uint8_t(byte));
    return text_of(bytes);
}

/// What begins a JPEG file of that size: an application segment, then the frame's.
std::string jpeg_head(uint16_t width, uint16_t height) {
    const auto high = [](uint16_t value) { return uint8_t(value >> 8); };
    const auto low = [](uint16_t value) { return uint8_t(value); };
    return text_of({0xff, 0xd8, 0xff, 0xe1, 0, 4, 1, 2, 0xff, 0xc2, 0, 17, 8, high(height),
                    low(height), high(width), low(width), 3});
}

} // namespace

START_TEST(png_keeps_every_level_and_its_channels) {
    const tvw::test::TemporaryFolder folder;
    for (const int64_t channels : {1, 3, 4}) {
        tvw::io::encode_png(folder.path() / "a.png", picture(channels));
        const HostTensor image = decode_image(folder.path() / "a.png");
        ck_assert(image.shape() == (tvw::Shape{channels, 2, 3}));
        ck_assert(levels(image) == levels(picture(channels)));
    }
}
END_TEST

START_TEST(modes_choose_the_channels) {
    const tvw::test::TemporaryFolder folder;
    const auto gray_file = folder.path() / "gray.png";
    const auto rgba_file = folder.path() / "rgba.png";
    tvw::io::encode_png(gray_file, picture(1));
    tvw::io::encode_png(rgba_file, picture(4));
    const Bytes gray = levels(picture(1));
    const Bytes rgba = levels(picture(4));
    const Bytes rgb(rgba.begin(), rgba.begin() + 18);
    const Bytes alpha(rgba.begin() + 18, rgba.end());
    const Bytes opaque(6, 255);
    const Bytes gray_three_times = concatenated(concatenated(gray, gray), gray);
    const auto read = [](const std::filesystem::path &file, ImageReadMode mode) {
        return levels(decode_image(file, mode));
    };
    using enum ImageReadMode;
    ck_assert(read(gray_file, kGray) == gray);
    ck_assert(read(gray_file, kGrayAlpha) == concatenated(gray, opaque));
    ck_assert(read(gray_file, kRGB) == gray_three_times);
    ck_assert(read(gray_file, kRGBAlpha) == concatenated(gray_three_times, opaque));
    ck_assert(read(rgba_file, kRGB) == rgb);
    ck_assert(read(rgba_file, kRGBAlpha) == rgba);
    const Bytes luma = read(rgba_file, kGray);
    const double first = 0.299 * rgb[0] + 0.587 * rgb[6] + 0.114 * rgb[12];
    ck_assert_double_eq_tol(luma[0], first, 1);
    ck_assert(read(rgba_file, kGrayAlpha) == concatenated(luma, alpha));
}
END_TEST

START_TEST(two_channels_stay_two) {
    // Pillow: Image.new("LA", (1, 1), (200, 90)).save("a.png")
    const Bytes file = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d,
                        0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
                        0x08, 0x04, 0x00, 0x00, 0x00, 0xb5, 0x1c, 0x0c, 0x02, 0x00, 0x00, 0x00,
                        0x0b, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x38, 0x11, 0x05, 0x00,
                        0x01, 0xed, 0x01, 0x23, 0xf3, 0x07, 0x72, 0x56, 0x00, 0x00, 0x00, 0x00,
                        0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
    const tvw::test::TemporaryFolder folder;
    const HostTensor image = decode_image(folder.write("a.png", text_of(file)));
    ck_assert(image.shape() == (tvw::Shape{2, 1, 1}));
    ck_assert(levels(image) == (Bytes{200, 90}));
}
END_TEST

START_TEST(sixteen_bits_become_eight) {
    // Pillow: Image.new("I;16", (1, 1)), its pixel 0x8180
    const Bytes file = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d,
                        0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
                        0x10, 0x00, 0x00, 0x00, 0x00, 0x6a, 0xee, 0x47, 0x16, 0x00, 0x00, 0x00,
                        0x0b, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x6c, 0x00, 0x00,
                        0x01, 0x85, 0x01, 0x02, 0x71, 0xfe, 0x2b, 0x0e, 0x00, 0x00, 0x00, 0x00,
                        0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
    const tvw::test::TemporaryFolder folder;
    ck_assert(levels(decode_image(folder.write("a.png", text_of(file)))) == (Bytes{129}));
}
END_TEST

START_TEST(a_view_sees_the_decoded_pixels) {
    const tvw::test::TemporaryFolder folder;
    tvw::io::encode_png(folder.path() / "a.png", picture(3));
    const HostTensor image = decode_image(folder.path() / "a.png", ImageReadMode::kRGB);
    const tvw::FrameView view = tvw::io::rgb_view(image);
    ck_assert_int_eq(view.width, 3);
    ck_assert_int_eq(view.height, 2);
    const Bytes planar = levels(picture(3));
    for (size_t c = 0; c < 3; ++c) {
        ck_assert_int_eq(view.planes[0].data[view.planes[0].stride + ptrdiff_t(6 + c)],
                         planar[c * 6 + 5]);
    }
    ck_assert(error_of([] { tvw::io::rgb_view(picture(3)); }).has_value());
    ck_assert(error_of([] { tvw::io::rgb_view(picture(4)); }).has_value());
}
END_TEST

START_TEST(what_cannot_be_decoded_is_an_error_that_names_the_file) {
    const tvw::test::TemporaryFolder folder;
    tvw::io::encode_png(folder.path() / "whole.png", picture(3));
    const auto fails = [](const std::filesystem::path &file, ErrorKind kind) {
        const auto error = error_of([&] { decode_image(file); });
        return error && error->kind() == kind && contains(error->what(), file.string());
    };
    ck_assert(fails(folder.path() / "none.png", ErrorKind::kNotFound));
    ck_assert(fails(folder.path(), ErrorKind::kInvalidArgument));
    ck_assert(fails(folder.write("empty.png", ""), ErrorKind::kCorruptFile));
    ck_assert(fails(folder.write("text.jpg", "not a picture"), ErrorKind::kCorruptFile));
    ck_assert(fails(folder.write("head.png", png_head(5, 5)), ErrorKind::kCorruptFile));
    ck_assert(fails(folder.write("head.jpg", jpeg_head(5, 5)), ErrorKind::kCorruptFile));
    ck_assert(
        fails(folder.write("short.jpg", jpeg_head(5, 5).substr(0, 12)), ErrorKind::kCorruptFile));
}
END_TEST

START_TEST(a_picture_of_too_many_pixels_is_refused_before_it_is_decoded) {
    const tvw::test::TemporaryFolder folder;
    const auto message = [](const std::filesystem::path &file) {
        const auto error = error_of([&] { decode_image(file); });
        ck_assert(error && error->kind() == ErrorKind::kNotSupported);
        return std::string(error->what());
    };
    ck_assert(contains(message(folder.write("a.png", png_head(20000, 20000))), "20000×20000"));
    ck_assert(contains(message(folder.write("a.jpg", jpeg_head(60000, 50000))), "60000×50000"));
}
END_TEST

START_TEST(only_pictures_are_written_and_only_where_that_is_possible) {
    const auto kind = [](const std::filesystem::path &file, const HostTensor &image) {
        const auto error = error_of([&] { tvw::io::encode_png(file, image); });
        ck_assert(error.has_value());
        return error->kind();
    };
    const tvw::test::TemporaryFolder folder;
    const auto file = folder.path() / "a.png";
    ck_assert(kind(file, picture(2)) == ErrorKind::kInvalidArgument);
    ck_assert(kind(file, picture(3, 0, 3)) == ErrorKind::kInvalidArgument);
    ck_assert(kind(file, HostTensor::zeros(DType::kFloat32, {3, 2, 2})) ==
              ErrorKind::kInvalidArgument);
    ck_assert(kind(folder.path() / "no" / "a.png", picture(3)) == ErrorKind::kIo);
}
END_TEST

int main() {
    return tvw::test::run_suite("io", {png_keeps_every_level_and_its_channels,
                                       modes_choose_the_channels, two_channels_stay_two,
                                       sixteen_bits_become_eight, a_view_sees_the_decoded_pixels,
                                       what_cannot_be_decoded_is_an_error_that_names_the_file,
                                       a_picture_of_too_many_pixels_is_refused_before_it_is_decoded,
                                       only_pictures_are_written_and_only_where_that_is_possible});
}
