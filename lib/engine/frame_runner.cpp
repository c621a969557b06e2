// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames to a network's input, on the CPU or on a GPU.
#include "engine/frame_runner.h"

#include "backends/cpu/parallel.h"
#include "backends/cuda/gpu.h"
#include "base/log.h"
#include "engine/execute.h"
#include "transforms/recipe.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace tvw {
namespace {

/// [N, 3, H, W] of a batch of N images.
class BatchShape {
public:
    explicit BatchShape(const Transforms &preset) : recipe_(make_recipe(preset)) {}

    /// In the memory of the one before. Errors as batch_output.
    const Shape &of(std::span<const FrameInput> frames) {
        const Size size = batch_output(recipe_, frames);
        shape_.assign({int64_t(frames.size()), int64_t{kChannels}, size.height, size.width});
        return shape_;
    }

private:
    Recipe recipe_;
    Shape shape_;
};

/// Preprocesses in the caller's thread, so that streams do it side by side, into a tensor that is
/// kept from batch to batch. Where the engine's other threads have nothing to do, they take a part
/// of each large frame.
class CpuFrames : public FrameRunner {
public:
    CpuFrames(std::shared_ptr<Network> network, int threads, const Transforms &preset,
              PreprocessMode mode)
        : network_(std::move(network)), threads_(threads), shape_(preset), inputs_{{"input", {}}} {
        // The fast mode's work is too little to share.
        const int most = mode == PreprocessMode::kExact ? kMostParts : 1;
        const int count = std::min(threads > 0 ? threads : allowed_cpus(), most);
        for (int i = 0; i < count; ++i)
            preprocessors_.emplace_back(preset, mode);
    }

    void run(std::span<const FrameInput> frames, std::vector<NamedTensor> &outputs) override {
        preprocess(frames);
        const auto job = [&] { network_->run(inputs_, outputs); };
        execute({}, threads_, std::cref(job)); // the lambda itself would have to be allocated
    }

private:
    static constexpr int kMostParts = 4; ///< rows that two of them need are resized twice
    static constexpr int64_t kPixelsOfPart = int64_t{512} * 512;

    void preprocess(std::span<const FrameInput> frames) {
        HostTensor &input = inputs_.front().tensor;
        const Shape &shape = shape_.of(frames);
        if (!input.has_data() || input.shape() != shape)
            input = HostTensor::zeros(DType::kFloat32, shape);
        const std::span<float> values = input.mutable_values<float>();
        const int parts = parts_of(frames);
        std::array<std::exception_ptr, kMostParts> failures;
        const cpu::TeamScope team(parts);
        cpu::parallel(parts, [&](int64_t begin, int64_t end) {
            for (int64_t part = begin; part < end; ++part) {
                try {
                    preprocess_part(frames, values, int(part), parts);
                } catch (...) { // which must not leave a thread of the team
                    failures[size_t(part)] = std::current_exception();
                }
            }
        });
        for (const std::exception_ptr &failure : failures) {
            if (failure)
                std::rethrow_exception(failure);
        }
    }

    /// Of every frame. The same for frames of one size, since tables are kept for each part.
    void preprocess_part(std::span<const FrameInput> frames, std::span<float> values, int part,
                         int parts) {
        const size_t image = values.size() / frames.size();
        for (const FrameInput &frame : frames) {
            preprocessors_[size_t(part)].run_part(frame.frame, values.first(image), frame.region,
                                                  part, parts);
            values = values.subspan(image);
        }
    }

    /// As many as are worth waking a thread for.
    int parts_of(std::span<const FrameInput> frames) const {
        const FrameView &frame = frames.front().frame;
        const std::optional<Region> &region = frames.front().region;
        const int64_t pixels =
            region ? int64_t{region->width} * region->height : int64_t{frame.width} * frame.height;
        const int64_t worth = pixels * int64_t(frames.size()) / kPixelsOfPart;
        return int(std::clamp<int64_t>(worth, 1, int64_t(preprocessors_.size())));
    }

    std::shared_ptr<Network> network_;
    int threads_;
    BatchShape shape_;
    std::vector<Preprocessor> preprocessors_; ///< one for each part
    std::vector<NamedTensor> inputs_;
};

/// All of it is the GPU's work, straight into the input of the network's plan.
class GpuFrames : public FrameRunner {
public:
    GpuFrames(std::shared_ptr<Network> network, const Transforms &preset)
        : network_(std::move(network)), gpu_(*network_->placement().gpu), shape_(preset) {
        on_worker(
            [&] { gpu_.run([&] { preprocessor_ = gpu_.session().make_preprocessor(preset); }); });
    }

    void run(std::span<const FrameInput> frames, std::vector<NamedTensor> &outputs) override {
        std::ranges::for_each(frames, [this](const FrameInput &frame) { need_reach(frame); });
        const Shape &shape = shape_.of(frames);
        on_worker([&] {
            network_->run_filled(
                shape,
                [&](const cuda::ImageTensor &input) { preprocessor_->enqueue(frames, input); },
                outputs);
        });
    }

private:
    void on_worker(const std::function<void()> &job) { execute(network_->placement(), 0, job); }
    void need_reach(const FrameInput &input) const {
        const std::optional<GpuMemory> &memory = input.frame.gpu;
        if (memory && memory->index != gpu_.index())
            throw Error(ErrorKind::kInvalidArgument,
                        fmt::format("the frame lies in the memory of cuda:{}, but {} runs on {}",
                                    memory->index, network_->name(), gpu_.name()));
    }

    std::shared_ptr<Network> network_;
    cuda::Gpu &gpu_;
    BatchShape shape_;
    std::unique_ptr<cuda::FramePreprocessor> preprocessor_;
};

} // namespace

std::unique_ptr<FrameRunner> make_frame_runner(std::shared_ptr<Network> network, int threads,
                                               const Transforms &preset, PreprocessMode mode) {
    if (std::holds_alternative<VideoClassification>(preset))
        throw Error(ErrorKind::kNotSupported, fmt::format("{} makes clips, and {} takes images",
                                                          preset_name(preset), network->name()));
    cuda::Gpu *gpu = network->placement().gpu;
    const std::string place = gpu != nullptr ? gpu->name() : "the CPU";
    log(LogLevel::kInfo,
        fmt::format("frames for {} are preprocessed on {}", network->name(), place));
    if (gpu != nullptr)
        return std::make_unique<GpuFrames>(std::move(network), preset);
    return std::make_unique<CpuFrames>(std::move(network), threads, preset, mode);
}

} // namespace tvw
