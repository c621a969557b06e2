// SPDX-License-Identifier: LGPL-2.1-or-later
// The seam between core and libtvw-io, which alone knows OpenCV.
#pragma once

#include <tvw/io.h>

#include "io/picture_header.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tvw::io {

class Codecs {
public:
    virtual ~Codecs() = default;

    /// `file` is the whole file, `header` what is known of it, `name` its name for messages.
    virtual HostTensor decode(std::span<const uint8_t> file, const PictureHeader &header,
                              const std::string &name, ImageReadMode mode,
                              bool apply_exif_orientation) = 0;
    /// A contiguous uint8 [C, H, W] tensor of 1, 3 or 4 channels as a PNG file.
    virtual std::vector<uint8_t> encode_png(const HostTensor &image) = 0;
};

/// The name of libtvw-io's one exported function, of type CodecsEntry.
constexpr const char *kCodecsEntry = "tvw_io_v1";
using CodecsEntry = Codecs *();

} // namespace tvw::io
