// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames of noise in every format, of any size, stride and offset, with nothing around them.
#pragma once

#include <tvw/frame.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <memory>
#include <random>
#include <span>
#include <vector>

namespace tvw::test {

/// A new one for each run, printed; TVW_SEED repeats a run.
inline unsigned printed_seed(const char *suite) {
    const char *given = std::getenv("TVW_SEED");
    const unsigned seed = given ? unsigned(std::atoi(given)) : std::random_device()();
    std::printf("%s: TVW_SEED=%u\n", suite, seed);
    return seed;
}

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    int below(int end) { return int(engine_() % unsigned(end)); }
    uint8_t byte() { return uint8_t(engine_() >> 11); }

private:
    std::mt19937 engine_;
};

/// One plane: bytes of a row for each pixel or, where chroma is halved in width, each chroma
/// sample.
struct PlaneLayout {
    int bytes;
    bool chroma = false;
};

struct FormatLayout {
    const char *name;
    PixelFormat format;
    std::vector<PlaneLayout> planes;
    bool has_chroma = false;
    bool half_width = false;
    bool half_height = false;
};

inline const std::vector<FormatLayout> kFormats = {
    {"RGB", PixelFormat::kRGB, {{3}}},
    {"BGR", PixelFormat::kBGR, {{3}}},
    {"RGBA", PixelFormat::kRGBA, {{4}}},
    {"BGRA", PixelFormat::kBGRA, {{4}}},
    {"ARGB", PixelFormat::kARGB, {{4}}},
    {"ABGR", PixelFormat::kABGR, {{4}}},
    {"RGBx", PixelFormat::kRGBx, {{4}}},
    {"BGRx", PixelFormat::kBGRx, {{4}}},
    {"xRGB", PixelFormat::kxRGB, {{4}}},
    {"xBGR", PixelFormat::kxBGR, {{4}}},
    {"GBR", PixelFormat::kGBR, {{1}, {1}, {1}}},
    {"NV12", PixelFormat::kNV12, {{1}, {2, true}}, true, true, true},
    {"NV21", PixelFormat::kNV21, {{1}, {2, true}}, true, true, true},
    {"I420", PixelFormat::kI420, {{1}, {1, true}, {1, true}}, true, true, true},
    {"YV12", PixelFormat::kYV12, {{1}, {1, true}, {1, true}}, true, true, true},
    {"Y42B", PixelFormat::kY42B, {{1}, {1, true}, {1, true}}, true, true, false},
    {"Y444", PixelFormat::kY444, {{1}, {1, true}, {1, true}}, true, false, false},
    {"YUY2", PixelFormat::kYUY2, {{4, true}}, true, true, false},
    {"UYVY", PixelFormat::kUYVY, {{4, true}}, true, true, false},
    {"GRAY8", PixelFormat::kGRAY8, {{1}}},
    {"P010_10LE", PixelFormat::kP010_10LE, {{2}, {4, true}}, true, true, true},
    {"I420_10LE", PixelFormat::kI420_10LE, {{2}, {2, true}, {2, true}}, true, true, true},
};

/// Noise in planes that end where the last pixel does, so that a sanitizer sees reads beyond them.
class RandomFrame {
public:
    RandomFrame(const FormatLayout &layout, Random &random)
        : RandomFrame(layout, random, 1 + random.below(90), 1 + random.below(40)) {}

    RandomFrame(const FormatLayout &layout, Random &random, int width, int height)
        : layout_(&layout) {
        view_.format = layout.format;
        view_.width = width;
        view_.height = height;
        view_.matrix = ColorMatrix(random.below(3));
        view_.range = ColorRange(random.below(2));
        view_.horizontal = ChromaSite(random.below(2));
        view_.vertical = ChromaSite(random.below(2));
        for (size_t i = 0; i < layout.planes.size(); ++i) {
            const PlaneLayout &plane = layout.planes[i];
            const bool packed = layout.planes.size() == 1;
            const int columns = plane.chroma && layout.half_width ? (width + 1) / 2 : width;
            const int rows =
                plane.chroma && layout.half_height && !packed ? (height + 1) / 2 : height;
            add_plane(i, ptrdiff_t{columns} * plane.bytes, rows, random);
        }
    }

    const FrameView &view() const { return view_; }
    const FormatLayout &layout() const { return *layout_; }
    /// The same frame elsewhere: `copy(bytes)` answers where the bytes of a plane are there.
    template<typename Copy>
    FrameView copied(const Copy &copy) const {
        FrameView view = view_;
        for (size_t i = 0; i < planes_.size(); ++i) {
            const auto &[memory, bytes] = planes_[i];
            const uint8_t *there = copy(std::span<const uint8_t>(memory.get(), bytes));
            view.planes[i].data = there + (view_.planes[i].data - memory.get());
        }
        return view;
    }

private:
    void add_plane(size_t index, ptrdiff_t row, int rows, Random &random) {
        const ptrdiff_t stride = row + (random.below(2) == 0 ? 0 : random.below(40));
        const bool upside_down = random.below(4) == 0;
        const ptrdiff_t offset = random.below(5);
        const size_t bytes = size_t(offset + stride * (rows - 1) + row);
        auto memory = std::make_unique<uint8_t[]>(bytes);
        for (size_t i = 0; i < bytes; ++i)
            memory[i] = random.byte();
        const uint8_t *first = memory.get() + offset;
        view_.planes[index] =
            upside_down ? Plane{first + stride * (rows - 1), -stride} : Plane{first, stride};
        planes_.push_back({std::move(memory), bytes});
    }

    struct PlaneMemory {
        std::unique_ptr<uint8_t[]> memory;
        size_t bytes;
    };
    const FormatLayout *layout_;
    FrameView view_;
    std::vector<PlaneMemory> planes_;
};

/// A rectangle inside the frame; one in three times all of it.
inline Region random_region(const FrameView &frame, Random &random) {
    if (random.below(3) == 0)
        return {0, 0, frame.width, frame.height};
    const int x = random.below(frame.width);
    const int y = random.below(frame.height);
    return {x, y, 1 + random.below(frame.width - x), 1 + random.below(frame.height - y)};
}

/// Frames of any size, which stay where they are, and regions of them.
struct FrameBatch {
    std::list<RandomFrame> frames;
    std::vector<FrameInput> inputs;

    void add(const FormatLayout &format, Random &random) {
        const FrameView &view = frames.emplace_back(format, random).view();
        inputs.push_back({view, random_region(view, random)});
    }
};

} // namespace tvw::test
