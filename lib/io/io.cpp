// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of picture files that needs no codec: reading and writing bytes, opening libtvw-io.
#include <tvw/error.h>
#include <tvw/io.h>

#include "base/shared_library.h"
#include "io/codecs.h"
#include "io/picture_header.h"

#include <fstream>

namespace tvw::io {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
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

std::vector<uint8_t> read_file(const std::filesystem::path &path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error))
        throw Error(ErrorKind::kNotFound, path.string() + ": no such file");
    if (!std::filesystem::is_regular_file(path, error))
        throw Error(ErrorKind::kIo, path.string() + ": not a regular file");
    const uint64_t size = std::filesystem::file_size(path, error);
    if (error || size > kMaxFileBytes)
        throw Error(ErrorKind::kNotSupported, path.string() + ": larger than 1 GiB");
    std::vector<uint8_t> bytes(size);
    std::ifstream stream(path, std::ios::binary);
    stream.read(reinterpret_cast<char *>(bytes.data()), std::streamsize(size));
    if (!stream)
        throw Error(ErrorKind::kIo, path.string() + ": cannot be read");
    return bytes;
}

} // namespace

HostTensor decode_image(const std::filesystem::path &path, ImageReadMode mode,
                        bool apply_exif_orientation) {
    const std::vector<uint8_t> file = read_file(path);
    const PictureHeader header = read_picture_header(file);
    if (uint64_t{header.width} * header.height > kMaxPixels)
        throw Error(ErrorKind::kNotSupported, path.string() + ": " + std::to_string(header.width) +
                                                  "×" + std::to_string(header.height) +
                                                  " pixels are more than 2^28");
    return codecs().decode(file, header, path.string(), mode, apply_exif_orientation);
}

void encode_png(const std::filesystem::path &path, const HostTensor &image) {
    const Shape &shape = image.shape();
    if (image.dtype() != DType::kUInt8 || shape.size() != 3 || numel(shape) == 0 ||
        (shape[0] != 1 && shape[0] != 3 && shape[0] != 4))
        throw Error(ErrorKind::kInvalidArgument,
                    path.string() + ": a picture to write is uint8 [1, 3 or 4, H, W], not " +
                        std::string(dtype_name(image.dtype())) + " " + shape_text(shape));
    const std::vector<uint8_t> file = codecs().encode_png(image.contiguous());
    std::ofstream stream(path, std::ios::binary);
    stream.write(reinterpret_cast<const char *>(file.data()), std::streamsize(file.size()));
    stream.close();
    if (!stream)
        throw Error(ErrorKind::kIo, path.string() + ": cannot be written");
}

} // namespace tvw::io
