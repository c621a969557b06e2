// SPDX-License-Identifier: LGPL-2.1-or-later
// libtvw-io: decoding and encoding with OpenCV.
#include "io/codecs.h"

#include <tvw/error.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <memory>
#include <utility>

namespace tvw::io {
namespace {

/// A JPEG has no alpha and only OpenCV's colour modes turn it upright; everything else is read as
/// it is, so that one code path below chooses the channels.
int read_flags(bool jpeg, ImageReadMode mode, bool apply_exif_orientation) {
    if (!jpeg)
        return cv::IMREAD_UNCHANGED;
    const bool gray = mode == ImageReadMode::kGray || mode == ImageReadMode::kGrayAlpha;
    const bool rgb = mode == ImageReadMode::kRGB || mode == ImageReadMode::kRGBAlpha;
    const int channels = gray ? cv::IMREAD_GRAYSCALE : rgb ? cv::IMREAD_COLOR : cv::IMREAD_ANYCOLOR;
    return channels | (apply_exif_orientation ? 0 : cv::IMREAD_IGNORE_ORIENTATION);
}

/// To 8 bits a channel; full scale stays full scale.
cv::Mat to_8_bits(const cv::Mat &image, const std::string &name) {
    if (image.depth() == CV_8U)
        return image;
    if (image.depth() != CV_16U)
        throw Error(ErrorKind::kNotSupported, name + ": neither 8 nor 16 bits a channel");
    cv::Mat result;
    image.convertTo(result, CV_8U, 255.0 / 65535);
    return result;
}

/// What a mode is for a picture of so many channels, were it asked for by name.
ImageReadMode named_mode(ImageReadMode mode, int channels, bool gray_alpha) {
    if (mode != ImageReadMode::kUnchanged)
        return mode;
    if (gray_alpha)
        return ImageReadMode::kGrayAlpha;
    return channels == 1   ? ImageReadMode::kGray
           : channels == 3 ? ImageReadMode::kRGB
                           : ImageReadMode::kRGBAlpha;
}

/// Gray, BGR or BGRA to another set of channels; the codes are for these three in turn.
cv::Mat converted(const cv::Mat &image, int from_gray, int from_bgr, int from_bgra) {
    constexpr int kSame = -1;
    const int channels = image.channels();
    const int code = channels == 1 ? from_gray : channels == 3 ? from_bgr : from_bgra;
    if (code == kSame)
        return image;
    cv::Mat result;
    cv::cvtColor(image, result, code);
    return result;
}

cv::Mat to_gray(const cv::Mat &image) {
    return converted(image, -1, cv::COLOR_BGR2GRAY, cv::COLOR_BGRA2GRAY);
}

cv::Mat to_gray_alpha(const cv::Mat &image) {
    cv::Mat alpha(image.size(), CV_8UC1, cv::Scalar(255));
    if (image.channels() == 4)
        cv::extractChannel(image, alpha, 3);
    cv::Mat result;
    cv::merge(std::vector<cv::Mat>{to_gray(image), alpha}, result);
    return result;
}

/// `mode` is not kUnchanged.
cv::Mat in_mode(const cv::Mat &image, ImageReadMode mode) {
    switch (mode) {
    case ImageReadMode::kGray:
        return to_gray(image);
    case ImageReadMode::kGrayAlpha:
        return to_gray_alpha(image);
    case ImageReadMode::kRGBAlpha:
        return converted(image, cv::COLOR_GRAY2RGBA, cv::COLOR_BGR2RGBA, cv::COLOR_BGRA2RGBA);
    default:
        return converted(image, cv::COLOR_GRAY2RGB, cv::COLOR_BGR2RGB, cv::COLOR_BGRA2RGB);
    }
}

/// [C, H, W] over OpenCV's own order of bytes.
HostTensor to_tensor(const cv::Mat &image) {
    const int64_t channels = image.channels();
    const int64_t height = image.rows;
    const int64_t width = image.cols;
    auto storage = std::make_shared<Storage>(image.total() * image.elemSize());
    image.copyTo(cv::Mat(image.size(), image.type(), storage->data()));
    return {DType::kUInt8,
            {channels, height, width},
            {1, width * channels, channels},
            0,
            std::move(storage)};
}

cv::Mat decode_bytes(std::span<const uint8_t> file, int flags) {
    if (file.empty())
        return {};
    const cv::Mat bytes(1, int(file.size()), CV_8UC1, const_cast<uint8_t *>(file.data()));
    return cv::imdecode(bytes, flags);
}

class OpenCvCodecs : public Codecs {
public:
    HostTensor decode(std::span<const uint8_t> file, const PictureHeader &header,
                      const std::string &name, ImageReadMode mode,
                      bool apply_exif_orientation) override {
        try {
            const cv::Mat image =
                decode_bytes(file, read_flags(header.jpeg, mode, apply_exif_orientation));
            if (image.empty())
                throw Error(ErrorKind::kCorruptFile, name + ": not a picture that can be decoded");
            return to_tensor(in_mode(to_8_bits(image, name),
                                     named_mode(mode, image.channels(), header.gray_alpha)));
        } catch (const cv::Exception &error) {
            throw Error(ErrorKind::kCorruptFile, name + ": cannot be decoded: " + error.err);
        }
    }

    std::vector<uint8_t> encode_png(const HostTensor &image) override {
        const auto height = int(image.shape()[1]);
        const auto width = int(image.shape()[2]);
        const size_t plane = size_t(height) * size_t(width);
        auto *data = const_cast<uint8_t *>(image.values<uint8_t>().data());
        std::vector<cv::Mat> planes;
        for (int64_t c = 0; c < image.shape()[0]; ++c)
            planes.emplace_back(height, width, CV_8UC1, data + size_t(c) * plane);
        if (planes.size() >= 3)
            std::swap(planes[0], planes[2]);
        cv::Mat packed;
        cv::merge(planes, packed);
        std::vector<uint8_t> file;
        try {
            cv::imencode(".png", packed, file);
        } catch (const cv::Exception &error) {
            throw Error(ErrorKind::kNotSupported, "cannot write this PNG: " + error.err);
        }
        return file;
    }
};

} // namespace
} // namespace tvw::io

extern "C" TVW_API tvw::io::Codecs *tvw_io_v1() {
    static tvw::io::OpenCvCodecs codecs;
    return &codecs;
}
