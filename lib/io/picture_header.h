// SPDX-License-Identifier: LGPL-2.1-or-later
// Picture files as bytes: what can be known and done without a codec.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tvw::io {

/// What a file says of itself before anything is decoded or allocated; zeros where unknown.
struct PictureHeader {
    uint32_t width = 0;
    uint32_t height = 0;
    bool jpeg = false;
    bool gray_alpha = false; ///< a PNG of two channels
};

/// Reads the head of a PNG or JPEG file; nothing is known of other formats or broken files.
PictureHeader read_picture_header(std::span<const uint8_t> file);

/// Whether these bytes begin a PNG file.
bool is_png(std::span<const uint8_t> file);

/// A PNG file without its colour profile, which nobody here applies and which makes libpng print
/// warnings.
std::vector<uint8_t> without_color_profile(std::span<const uint8_t> png);

} // namespace tvw::io
