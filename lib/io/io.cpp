// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of picture files that needs no codec: reading and writing bytes, opening libtvw-io.
#include <tvw/error.h>
#include <tvw/io.h>

#include "base/shared_library.h"
#include "base/text.h"
#include "io/codecs.h"
#include "io/picture_header.h"

#include <fstream>

namespace tvw::io {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 30;
constexpr uint64_t kMaxPixels = uint64_t{1} << 28;

Codecs &open_codecs() {
    try {
        auto *entry = reinterpret_cast<CodecsEntry *>(open_library("tvw-io", kCodecsEntry));
        return *entry();
    } catch (const Error &error) {
        throw Error(ErrorKind::kNotSupported,
                    std::string("pictures need libtvw-io, which this build or machine lacks\n") +
                        error.what());
    }
}

Codecs &codecs() {
    static Codecs &instance = open_codecs();
    return instance;
}

} // namespace

HostTensor decode_image(const std::filesystem::path &path, ImageReadMode mode,
                        bool apply_exif_orientation) {
    const std::string content = read_text_file(path, kMaxFileBytes);
    std::span file(reinterpret_cast<const uint8_t *>(content.data()), content.size());
    const PictureHeader header = read_picture_header(file);
    if (uint64_t{header.width} * header.height > kMaxPixels) {
        throw Error(ErrorKind::kNotSupported, path.string() + ": " + std::to_string(header.width) +
                                                  "×" + std::to_string(header.height) +
                                                  " pixels are more than 2^28");
    }
    std::vector<uint8_t> cleaned;
    if (is_png(file))
        file = cleaned = without_color_profile(file);
    return codecs().decode(file, header, path.string(), mode, apply_exif_orientation);
}

FrameView rgb_view(const HostTensor &image) {
    const Shape &shape = image.shape();
    if (!image.has_data() || image.dtype() != DType::kUInt8 || shape.size() != 3 || shape[0] != 3 ||
        image.strides()[0] != 1 || image.strides()[2] != 3) {
        throw Error(ErrorKind::kInvalidArgument,
                    "a view needs uint8 [3, H, W] with interleaved channels, not " +
                        std::string(dtype_name(image.dtype())) + " " + shape_text(shape));
    }
    FrameView view;
    view.format = PixelFormat::kRGB;
    view.width = int(shape[2]);
    view.height = int(shape[1]);
    view.planes[0] = {reinterpret_cast<const uint8_t *>(image.storage()->data()) + image.offset(),
                      image.strides()[1]};
    return view;
}

void encode_png(const std::filesystem::path &path, const HostTensor &image) {
    const Shape &shape = image.shape();
    if (image.dtype() != DType::kUInt8 || shape.size() != 3 || numel(shape) == 0 ||
        (shape[0] != 1 && shape[0] != 3 && shape[0] != 4)) {
        throw Error(ErrorKind::kInvalidArgument,
                    path.string() + ": a picture to write is uint8 [1, 3 or 4, H, W], not " +
                        std::string(dtype_name(image.dtype())) + " " + shape_text(shape));
    }
    const std::vector<uint8_t> file = codecs().encode_png(image.contiguous());
    std::ofstream stream(path, std::ios::binary);
    stream.write(reinterpret_cast<const char *>(file.data()), std::streamsize(file.size()));
    stream.close();
    if (!stream)
        throw Error(ErrorKind::kIo, path.string() + ": cannot be written");
}

} // namespace tvw::io
