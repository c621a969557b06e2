// SPDX-License-Identifier: LGPL-2.1-or-later
// libtvw-io: decoding and encoding with OpenCV.
#include "io/codecs.h"

#include <tvw/error.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>

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

cv::Mat converted(const cv::Mat &image, int code) {
    cv::Mat result;
    cv::cvtColor(image, result, code);
    return result;
}

/// The planes that the mode asks for, in its order, from gray, BGR or BGRA.
std::vector<cv::Mat> planes_of(const cv::Mat &image, ImageReadMode mode, bool gray_alpha) {
    const int channels = image.channels();
    std::vector<cv::Mat> planes;
    cv::split(image, planes);
    const cv::Mat alpha =
        channels == 4 ? planes[3] : cv::Mat(image.size(), CV_8UC1, cv::Scalar(255));
    if (mode == ImageReadMode::kUnchanged) {
        if (gray_alpha)
            mode = ImageReadMode::kGrayAlpha;
        else
            mode = channels == 1   ? ImageReadMode::kGray
                   : channels == 3 ? ImageReadMode::kRGB
                                   : ImageReadMode::kRGBAlpha;
    }
    if (mode == ImageReadMode::kGray || mode == ImageReadMode::kGrayAlpha) {
        const bool is_gray = channels == 1 || gray_alpha;
        const int code = channels == 4 ? cv::COLOR_BGRA2GRAY : cv::COLOR_BGR2GRAY;
        planes = {is_gray ? planes[0] : converted(image, code)};
        if (mode == ImageReadMode::kGrayAlpha)
            planes.push_back(alpha);
        return planes;
    }
    planes = channels == 1 ? std::vector<cv::Mat>(3, planes[0])
                           : std::vector<cv::Mat>{planes[2], planes[1], planes[0]};
    if (mode == ImageReadMode::kRGBAlpha)
        planes.push_back(alpha);
    return planes;
}

HostTensor to_tensor(const std::vector<cv::Mat> &planes) {
    const int height = planes[0].rows;
    const int width = planes[0].cols;
    HostTensor tensor = HostTensor::zeros(DType::kUInt8, {int64_t(planes.size()), height, width});
    uint8_t *dst = tensor.mutable_values<uint8_t>().data();
    for (const cv::Mat &plane : planes) {
        for (int y = 0; y < height; ++y, dst += width)
            std::copy_n(plane.ptr<uint8_t>(y), width, dst);
    }
    return tensor;
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
            return to_tensor(planes_of(to_8_bits(image, name), mode, header.gray_alpha));
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
