// SPDX-License-Identifier: LGPL-2.1-or-later
// PNG (ISO/IEC 15948): the IHDR chunk comes first. JPEG (ITU-T T.81): segments up to the frame's.
#include "io/picture_header.h"

#include <algorithm>
#include <array>

namespace tvw::io {
namespace {

constexpr std::array<uint8_t, 8> kPngMagic = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

uint32_t big_endian(std::span<const uint8_t> bytes) {
    uint32_t value = 0;
    for (const uint8_t byte : bytes)
        value = value << 8 | byte;
    return value;
}

PictureHeader read_png(std::span<const uint8_t> file) {
    constexpr size_t kWidth = 16;
    constexpr size_t kHeight = 20;
    constexpr size_t kColorType = 25;
    constexpr uint8_t kGrayAlpha = 4;
    if (file.size() <= kColorType)
        return {};
    return {big_endian(file.subspan(kWidth, 4)), big_endian(file.subspan(kHeight, 4)), false,
            file[kColorType] == kGrayAlpha};
}

/// Start-of-frame markers of every coding process.
bool starts_frame(uint8_t marker) {
    constexpr uint8_t kHuffmanTables = 0xc4;
    constexpr uint8_t kExtension = 0xc8;
    constexpr uint8_t kArithmeticConditioning = 0xcc;
    return marker >= 0xc0 && marker <= 0xcf && marker != kHuffmanTables && marker != kExtension &&
           marker != kArithmeticConditioning;
}

PictureHeader read_jpeg(std::span<const uint8_t> file) {
    // A segment: 0xff, marker, length of two bytes that counts itself, content.
    size_t at = 2;
    while (at + 9 <= file.size() && file[at] == 0xff) {
        const uint8_t marker = file[at + 1];
        if (marker == 0xff) { // fill byte
            ++at;
            continue;
        }
        if (starts_frame(marker)) {
            return {big_endian(file.subspan(at + 7, 2)), big_endian(file.subspan(at + 5, 2)), true,
                    false};
        }
        at += 2 + size_t{big_endian(file.subspan(at + 2, 2))};
    }
    return {};
}

template<size_t kSize>
bool begins_with(std::span<const uint8_t> file, const std::array<uint8_t, kSize> &magic) {
    return file.size() >= kSize && std::equal(magic.begin(), magic.end(), file.begin());
}

} // namespace

bool is_png(std::span<const uint8_t> file) {
    return begins_with(file, kPngMagic);
}

std::vector<uint8_t> without_color_profile(std::span<const uint8_t> png) {
    // A chunk: length of the content, type, content, checksum.
    constexpr size_t kAround = 12;
    constexpr uint32_t kColorProfile = 0x69434350; // "iCCP"
    std::vector<uint8_t> result(png.begin(), png.begin() + ptrdiff_t(kPngMagic.size()));
    auto rest = png.subspan(kPngMagic.size());
    while (rest.size() >= kAround) {
        const size_t size = std::min(big_endian(rest.first(4)) + kAround, rest.size());
        if (big_endian(rest.subspan(4, 4)) != kColorProfile)
            result.insert(result.end(), rest.begin(), rest.begin() + ptrdiff_t(size));
        rest = rest.subspan(size);
    }
    result.insert(result.end(), rest.begin(), rest.end());
    return result;
}

PictureHeader read_picture_header(std::span<const uint8_t> file) {
    constexpr std::array<uint8_t, 3> kJpegMagic = {0xff, 0xd8, 0xff};
    if (is_png(file))
        return read_png(file);
    if (begins_with(file, kJpegMagic))
        return read_jpeg(file);
    return {};
}

} // namespace tvw::io
