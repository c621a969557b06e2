// SPDX-License-Identifier: LGPL-2.1-or-later
// Classifies regions of NV12 frames both ways of preprocessing: classify_regions WEIGHTS reads
// "frame WIDTH HEIGHT" with the frame's bytes in the next line, and "region X Y WIDTH HEIGHT",
// which it answers with the most probable class of each PreprocessMode.
#include <tvw/classifier.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace {

tvw::Classifier make(const char *weights, tvw::PreprocessMode mode) {
    tvw::ClassifierConfig config;
    config.weights = weights;
    config.preprocess = mode;
    return tvw::Classifier(config);
}

/// Reads a frame whose bytes `memory` keeps.
tvw::FrameView read_frame(std::vector<char> &memory) {
    tvw::FrameView frame;
    std::cin >> frame.width >> frame.height;
    std::cin.get();
    const ptrdiff_t stride = (frame.width + 1) / 2 * 2;
    memory.resize(size_t(stride) * size_t(frame.height + (frame.height + 1) / 2));
    std::cin.read(memory.data(), long(memory.size()));
    const auto *bytes = reinterpret_cast<const uint8_t *>(memory.data());
    frame.format = tvw::PixelFormat::kNV12;
    frame.planes[0] = {bytes, stride};
    frame.planes[1] = {bytes + stride * frame.height, stride};
    return frame;
}

int serve(const char *weights) {
    tvw::Classifier exact = make(weights, tvw::PreprocessMode::kExact);
    tvw::Classifier fast = make(weights, tvw::PreprocessMode::kFast);
    std::vector<char> memory;
    tvw::FrameView frame;
    for (std::string command; std::cin >> command;) {
        if (command == "frame") {
            frame = read_frame(memory);
            continue;
        }
        tvw::Region region;
        std::cin >> region.x >> region.y >> region.width >> region.height;
        std::printf("%d %d\n", exact.classify(frame, 1, 0, region).front().class_id,
                    fast.classify(frame, 1, 0, region).front().class_id);
        std::fflush(stdout);
    }
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    try {
        return serve(argv[1]);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "classify_regions: %s\n", error.what());
        return 1;
    }
}
