// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets a test preprocess thousands of pictures in one process: requests on standard input, answers
// on standard output, native byte order. A picture is width, height and packed RGB; a request is
// one picture and the preset's parameters; the answer is the 8-bit stage, then the floats.
#include <tvw/transforms.h>

#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

struct Request {
    int32_t width, height, crop, resize;
    int32_t interpolation; ///< as InterpolationMode counts
    int32_t antialias;
    double mean[3], std[3];
};

template<typename T>
bool read(std::vector<T> &values) {
    return std::fread(values.data(), sizeof(T), values.size(), stdin) == values.size();
}

template<typename T>
bool write(const std::vector<T> &values) {
    return std::fwrite(values.data(), sizeof(T), values.size(), stdout) == values.size();
}

bool answer(const Request &request) {
    std::vector<uint8_t> pixels(size_t(3) * size_t(request.width) * size_t(request.height));
    if (!read(pixels))
        return false;
    tvw::FrameView frame;
    frame.width = request.width;
    frame.height = request.height;
    frame.planes[0] = {pixels.data(), ptrdiff_t{3} * request.width};

    tvw::ImageClassification preset;
    preset.crop_size = {request.crop};
    preset.resize_size = {request.resize};
    preset.mean.assign(request.mean, request.mean + 3);
    preset.std.assign(request.std, request.std + 3);
    preset.interpolation = tvw::InterpolationMode(request.interpolation);
    preset.antialias = request.antialias != 0;
    tvw::Preprocessor preprocessor(preset);
    const auto count = size_t(tvw::numel(preprocessor.output_shape()));
    std::vector<uint8_t> levels(count);
    preprocessor.run_uint8(frame, levels);
    std::vector<float> values(count);
    preprocessor.run(frame, values);
    return write(levels) && write(values) && std::fflush(stdout) == 0;
}

} // namespace

int main() {
    std::vector<Request> request(1);
    while (read(request)) {
        if (!answer(request[0]))
            return 1;
    }
    return 0;
}
