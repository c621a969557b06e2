// SPDX-License-Identifier: LGPL-2.1-or-later
// How long a GPU takes to make a model's input of frames, and how much of what its memory, or the
// way from the host's, allows that is. frame_speed [DEVICE]: one line of JSON for each case. "us"
// is microseconds a frame with a wait after each batch, "us_queued" with one after many; "bound_us"
// is what reading the bytes that are needed, and writing the result, takes at the speed of a copy.
// Frames go round through more memory than caches hold.
#include "base/half.h"
#include "support/random_frames.h"

#include "gpu/place.h"
#include "transforms/frame_crop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>

namespace {

using namespace tvw::test;
using tvw::FrameInput;
using tvw::PixelFormat;

struct Extent {
    int width;
    int height;
};
constexpr std::array kExtents = {Extent{1920, 1080}, Extent{3840, 2160}};
constexpr std::array kFrameFormats = {PixelFormat::kRGB, PixelFormat::kNV12};
constexpr std::array kBatches = {1, 8};
constexpr int64_t kSide = 224;

/// How much is done: little where loops stand for a GPU.
struct Effort {
    int64_t bytes; ///< of all frames together, and of what is copied to measure
    int runs;
    int rounds;
};
constexpr Effort kGpuEffort = {int64_t{512} << 20, 40, 9};
constexpr Effort kLoopEffort = {int64_t{32} << 20, 1, 1};

int64_t frame_bytes(PixelFormat format, const Extent &extent) {
    const int64_t pixels = int64_t{extent.width} * extent.height;
    return format == PixelFormat::kRGB ? 3 * pixels : pixels * 3 / 2;
}

/// Noise, and frames that lie in it one behind the other.
std::vector<FrameInput> make_frames(const at::Tensor &memory, std::optional<tvw::GpuMemory> gpu,
                                    PixelFormat format, const Extent &extent) {
    const auto *first = static_cast<const uint8_t *>(memory.const_data_ptr());
    const int64_t bytes = frame_bytes(format, extent);
    std::vector<FrameInput> frames;
    for (int64_t begin = 0; begin + bytes <= memory.numel(); begin += bytes) {
        tvw::FrameView view;
        view.format = format;
        view.width = extent.width;
        view.height = extent.height;
        view.gpu = gpu;
        const uint8_t *data = first + begin;
        const ptrdiff_t stride = format == PixelFormat::kRGB ? 3 * extent.width : extent.width;
        view.planes[0] = {data, stride};
        view.planes[1] = {data + stride * extent.height, stride};
        frames.push_back({view});
    }
    return frames;
}

/// Bytes of one frame that must be read.
int64_t needed_bytes(const tvw::Transforms &preset, const FrameInput &frame) {
    tvw::GridPlan plan(preset);
    plan.plan({&frame, 1});
    std::vector<float> rows(plan.row_floats());
    const auto jobs = plan.jobs(plan.windows().data(), plan.weights().data(), rows.data());
    return int64_t(tvw::FrameCrop(jobs.front()).bytes());
}

class Clock {
public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// The median of what `call` takes, after one that does not count.
template<typename Call>
double median_seconds(int rounds, const Call &call) {
    call();
    std::vector<double> times(size_t(rounds), 0.0);
    for (double &time : times) {
        const Clock clock;
        call();
        time = clock.seconds();
    }
    std::ranges::nth_element(times, times.begin() + rounds / 2);
    return times[size_t(rounds / 2)];
}

/// Seconds a byte, read and written being two.
struct CopySpeed {
    double memory;   ///< of the GPU
    double transfer; ///< from pinned memory of the host to it; counted once
};

CopySpeed copy_speed(Place &place, const Effort &effort) {
    const auto bytes = at::TensorOptions(at::kByte);
    const at::Tensor source = at::zeros({effort.bytes}, bytes.device(place.device()));
    at::Tensor target = at::zeros({effort.bytes}, bytes.device(place.device()));
    const at::Tensor host =
        at::zeros({effort.bytes}, bytes.pinned_memory(place.device().is_cuda()));
    const auto seconds = [&](const at::Tensor &from) {
        return median_seconds(
            effort.rounds, [&] { place.run([&] { target.copy_(from, /*non_blocking=*/true); }); });
    };
    return {seconds(source) / double(2 * effort.bytes), seconds(host) / double(effort.bytes)};
}

class Bench {
public:
    explicit Bench(Place &place)
        : place_(place),
          effort_(place.device().is_cuda() ? kGpuEffort : kLoopEffort),
          speed_(copy_speed(place, effort_)),
          host_(at::randint(256, {effort_.bytes}, at::TensorOptions(at::kByte))),
          device_(host_.to(place.device())) {
        preset_.crop_size = {kSide};
        preset_.resize_size = {232};
    }

    void run_all() {
        for (const Extent &extent : kExtents) {
            for (const PixelFormat format : kFrameFormats) {
                for (const int batch : kBatches) {
                    measure(format, extent, batch, true);
                    measure(format, extent, batch, false);
                }
            }
        }
    }

private:
    double bound_us(const FrameInput &frame, bool on_gpu) const {
        const auto read = double(needed_bytes(preset_, frame));
        const auto written = double(3 * kSide * kSide * int64_t(sizeof(float)));
        const double on_card = (read + written) * speed_.memory;
        return 1e6 * (on_gpu ? on_card : std::max(read * speed_.transfer, on_card));
    }

    void measure(PixelFormat format, const Extent &extent, int batch, bool on_gpu) {
        const auto frames = make_frames(on_gpu ? device_ : host_,
                                        on_gpu ? place_.memory() : std::nullopt, format, extent);
        const auto count = std::min(size_t(batch), frames.size());
        at::Tensor result =
            at::empty({int64_t(count), kSide, kSide, 3}, at::TensorOptions(place_.device()));
        const tvw::cuda::ImageTensor dst = {result.mutable_data_ptr(), result.numel(),
                                            tvw::DType::kFloat32,
                                            tvw::cuda::ImageLayout::kChannelsLast};
        const auto preprocessor = place_.make_preprocessor(preset_);
        size_t next = 0;
        const auto enqueue = [&] {
            if (next + count > frames.size())
                next = 0;
            preprocessor->enqueue(std::span(frames).subspan(next, count), dst);
            next += count;
        };
        const double waited = median_seconds(effort_.rounds, [&] {
            for (int i = 0; i < effort_.runs; ++i)
                place_.run(enqueue);
        });
        const double queued = median_seconds(effort_.rounds, [&] {
            place_.run([&] {
                for (int i = 0; i < effort_.runs; ++i)
                    enqueue();
            });
        });
        const double per_frame = 1e6 / (double(effort_.runs) * double(count));
        std::printf("{\"frames\": \"%s\", \"format\": \"%s\", \"width\": %d, \"height\": %d, "
                    "\"batch\": %d, \"us\": %.2f, \"us_queued\": %.2f, "
                    "\"bound_us\": %.2f}\n",
                    on_gpu ? "gpu" : "host", format == PixelFormat::kRGB ? "RGB" : "NV12",
                    extent.width, extent.height, int(count), waited * per_frame, queued * per_frame,
                    bound_us(frames.front(), on_gpu));
        std::fflush(stdout);
    }

    Place &place_;
    Effort effort_;
    CopySpeed speed_;
    at::Tensor host_;
    at::Tensor device_;
    tvw::ImageClassification preset_;
};

} // namespace

int main(int argc, char **argv) {
    try {
        const c10::InferenceMode inference;
        Place place(argc > 1 ? argv[1] : "cuda");
        Bench(place).run_all();
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "frame_speed: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
