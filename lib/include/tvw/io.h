// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/tensor.h>

#include <filesystem>

/// Picture files. The functions open libtvw-io, and with it OpenCV's codecs, on first use; a build
/// without it answers Error(kNotSupported).
namespace tvw::io {

/// torchvision.io.ImageReadMode.
enum class ImageReadMode {
    kUnchanged, ///< the file's own channels; palettes become RGB or RGBA
    kGray,      ///< 1 channel
    kGrayAlpha, ///< 2; opaque where the file has no alpha
    kRGB,       ///< 3; alpha is dropped, not blended
    kRGBAlpha,  ///< 4; opaque where the file has no alpha
};

/// A picture (JPEG, PNG, WebP, BMP, TIFF …) as uint8 [C, H, W]; 16-bit files are reduced to 8 bits.
/// `apply_exif_orientation` turns a JPEG upright.
/// Errors, each naming the file: kNotFound, kIo, kCorruptFile if it is no picture that can be
/// decoded, kNotSupported if it has more than 2^28 pixels.
TVW_API HostTensor decode_image(const std::filesystem::path &path,
                                ImageReadMode mode = ImageReadMode::kUnchanged,
                                bool apply_exif_orientation = false);

/// Writes a uint8 [C, H, W] picture of 1, 3 (RGB) or 4 (RGBA) channels.
/// Errors: kInvalidArgument for another shape or dtype, kIo.
TVW_API void encode_png(const std::filesystem::path &path, const HostTensor &image);

} // namespace tvw::io
