// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/frame.h>
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

/// A picture (JPEG, PNG, WebP, BMP, TIFF …) as uint8 [C, H, W], the channels of a pixel side by
/// side in memory; 16-bit files are reduced to 8 bits. `apply_exif_orientation` turns a JPEG
/// upright. Errors, each naming the file: kNotFound, kIo, kInvalidArgument for more than 1 GiB or
/// no regular file, kCorruptFile if it is no picture that can be decoded, kNotSupported for more
/// than 2^28 pixels.
TVW_API HostTensor decode_image(const std::filesystem::path &path,
                                ImageReadMode mode = ImageReadMode::kUnchanged,
                                bool apply_exif_orientation = false);

/// The pixels of a tensor from `decode_image(…, kRGB)`, which must outlive the view.
/// Error(kInvalidArgument) for any other tensor.
TVW_API FrameView rgb_view(const HostTensor &image);

/// Writes a uint8 [C, H, W] picture of 1, 3 (RGB) or 4 (RGBA) channels.
/// Errors: kInvalidArgument for another shape or dtype, kIo.
TVW_API void encode_png(const std::filesystem::path &path, const HostTensor &image);

} // namespace tvw::io
