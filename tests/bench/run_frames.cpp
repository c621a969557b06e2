// SPDX-License-Identifier: LGPL-2.1-or-later
// Preprocesses one frame of noise for frames.py: run_frames FORMAT WIDTH HEIGHT MODE says "ready";
// then it answers each line of its input with one line:
// "run COUNT"   the median seconds of COUNT runs, after one that does not count
// "cold COUNT"  the same of runs whose frame is in no cache
#include <tvw/transforms.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using tvw::PixelFormat;

/// A format and the bytes of its planes' rows for each pixel, and which of them are halved in
/// height.
struct Layout {
    PixelFormat format;
    std::vector<double> bytes_a_pixel;
    bool half_height = false;
};

const std::map<std::string, Layout> kLayouts = {
    {"RGB", {PixelFormat::kRGB, {3}}},
    {"BGRx", {PixelFormat::kBGRx, {4}}},
    {"GBR", {PixelFormat::kGBR, {1, 1, 1}}},
    {"NV12", {PixelFormat::kNV12, {1, 1}, true}},
    {"I420", {PixelFormat::kI420, {1, 0.5, 0.5}, true}},
    {"Y42B", {PixelFormat::kY42B, {1, 0.5, 0.5}}},
    {"Y444", {PixelFormat::kY444, {1, 1, 1}}},
    {"YUY2", {PixelFormat::kYUY2, {2}}},
    {"GRAY8", {PixelFormat::kGRAY8, {1}}},
    {"P010_10LE", {PixelFormat::kP010_10LE, {2, 2}, true}},
    {"I420_10LE", {PixelFormat::kI420_10LE, {2, 1, 1}, true}},
};

/// Noise, and a frame that lies in it.
class Frame {
public:
    Frame(const Layout &layout, int width, int height) {
        view_.format = layout.format;
        view_.width = width;
        view_.height = height;
        std::vector<size_t> offsets;
        size_t bytes = 0;
        for (size_t i = 0; i < layout.bytes_a_pixel.size(); ++i) {
            const auto stride = size_t(layout.bytes_a_pixel[i] * width + 3) / 4 * 4;
            offsets.push_back(bytes);
            view_.planes[i].stride = ptrdiff_t(stride);
            bytes += stride * size_t(i > 0 && layout.half_height ? (height + 1) / 2 : height);
        }
        std::minstd_rand random(1);
        bytes_.resize(bytes);
        std::generate(bytes_.begin(), bytes_.end(), [&] { return uint8_t(random() >> 8); });
        for (size_t i = 0; i < offsets.size(); ++i)
            view_.planes[i].data = bytes_.data() + offsets[i];
    }
    const tvw::FrameView &view() const { return view_; }

private:
    tvw::FrameView view_;
    std::vector<uint8_t> bytes_;
};

/// Fills the caches with something else.
void forget_caches() {
    static std::vector<uint8_t> other(size_t{64} << 20);
    for (size_t i = 0; i < other.size(); i += 64)
        other[i] = uint8_t(other[i] + 1);
}

int serve(const Frame &frame, tvw::PreprocessMode mode) {
    tvw::ImageClassification preset;
    preset.crop_size = {224};
    tvw::Preprocessor preprocessor(preset, mode);
    std::vector<float> out(size_t(tvw::numel(preprocessor.output_shape())));
    std::cout << "ready" << std::endl;
    for (std::string command; std::cin >> command;) {
        size_t count = 0;
        std::cin >> count;
        preprocessor.run(frame.view(), out);
        std::vector<double> times(std::max<size_t>(count, 1));
        for (double &time : times) {
            if (command == "cold")
                forget_caches();
            const Clock::time_point begin = Clock::now();
            preprocessor.run(frame.view(), out);
            time = std::chrono::duration<double>(Clock::now() - begin).count();
        }
        std::nth_element(times.begin(), times.begin() + long(times.size() / 2), times.end());
        std::printf("%.9g\n", times[times.size() / 2]);
        std::fflush(stdout);
    }
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 5 || !kLayouts.contains(argv[1])) {
        std::fputs("usage: run_frames FORMAT WIDTH HEIGHT exact|fast\n", stderr);
        return 2;
    }
    try {
        return serve(Frame(kLayouts.at(argv[1]), std::stoi(argv[2]), std::stoi(argv[3])),
                     tvw::parse_preprocess_mode(argv[4]));
    } catch (const std::exception &error) {
        std::fprintf(stderr, "run_frames: %s\n", error.what());
        return 1;
    }
}
