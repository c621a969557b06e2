// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets a test preprocess thousands of pictures in one process: requests on standard input, answers
// on standard output, native byte order. A request is the struct below, then its frames: rows of
// packed RGB, or of the planes of another format. The answer is height and width of the result, the
// 8-bit stage of each frame, and the floats.
#include <tvw/transforms.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <vector>

namespace {

struct Request {
    int32_t preset; ///< as Transforms counts
    int32_t mode;   ///< as PreprocessMode counts
    int32_t format; ///< as PixelFormat counts
    int32_t frames, width, height;
    int32_t planes, strides[3], rows[3]; ///< bytes of one frame: strides times rows
    int32_t region[4];                   ///< x, y, width, height; a width of 0: all
    int32_t crop[2], resize[2];          ///< height, width; the second 0: one number; both 0: none
    int32_t interpolation;               ///< as InterpolationMode counts
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

std::vector<int64_t> sides(const int32_t (&size)[2]) {
    if (size[1] == 0)
        return {size[0]};
    return {size[0], size[1]};
}

/// The parameters that `preset` has.
template<typename Preset>
Preset filled(const Request &request) {
    Preset preset;
    if constexpr (requires { preset.crop_size; })
        preset.crop_size = sides(request.crop);
    if constexpr (requires { preset.mean; }) {
        if (request.resize[0] > 0)
            preset.resize_size = sides(request.resize);
        preset.mean.assign(request.mean, request.mean + 3);
        preset.std.assign(request.std, request.std + 3);
        preset.interpolation = tvw::InterpolationMode(request.interpolation);
    }
    if constexpr (requires { preset.antialias; })
        preset.antialias = request.antialias != 0;
    return preset;
}

tvw::Transforms preset_of(const Request &request) {
    switch (request.preset) {
    case 0:
        return filled<tvw::ImageClassification>(request);
    case 1:
        return filled<tvw::SemanticSegmentation>(request);
    case 2:
        return filled<tvw::VideoClassification>(request);
    case 3:
        return filled<tvw::ObjectDetection>(request);
    default:
        return filled<tvw::OpticalFlow>(request);
    }
}

/// Views of `bytes`, frame after frame, plane after plane.
std::vector<tvw::FrameView> views(const Request &request, const uint8_t *bytes) {
    std::vector<tvw::FrameView> frames(size_t(request.frames));
    for (tvw::FrameView &frame : frames) {
        frame.format = tvw::PixelFormat(request.format);
        frame.width = request.width;
        frame.height = request.height;
        for (int i = 0; i < request.planes; ++i) {
            frame.planes[size_t(i)] = {bytes, request.strides[i]};
            bytes += ptrdiff_t{request.strides[i]} * request.rows[i];
        }
    }
    return frames;
}

bool answer(const Request &request) {
    size_t frame_bytes = 0;
    for (int i = 0; i < request.planes; ++i)
        frame_bytes += size_t(request.strides[i]) * size_t(request.rows[i]);
    std::vector<uint8_t> bytes(frame_bytes * size_t(request.frames));
    if (!read(bytes))
        return false;
    const std::vector<tvw::FrameView> frames = views(request, bytes.data());
    std::optional<tvw::Region> region;
    const int32_t *r = request.region;
    if (r[2] > 0)
        region = tvw::Region{r[0], r[1], r[2], r[3]};

    tvw::Preprocessor preprocessor(preset_of(request), tvw::PreprocessMode(request.mode));
    const tvw::Shape shape = preprocessor.output_shape(region ? region->width : request.width,
                                                       region ? region->height : request.height);
    const auto count = size_t(tvw::numel(shape));
    if (!write(std::vector<int32_t>{int32_t(shape[1]), int32_t(shape[2])}))
        return false;
    std::vector<uint8_t> levels(count);
    for (const tvw::FrameView &frame : frames) {
        preprocessor.run_uint8(frame, levels, region);
        if (!write(levels))
            return false;
    }
    std::vector<float> values(count * frames.size());
    if (frames.size() == 1)
        preprocessor.run(frames[0], values, region);
    else
        preprocessor.run_clip(frames, values, region);
    return write(values) && std::fflush(stdout) == 0;
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
