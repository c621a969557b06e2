// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames to a tensor on the GPU: one copy of what must be there, two kernels, no waiting.
#include "cuda/frame_preprocessor.h"

#include "base/half.h"
#include "cuda/buffer.h"
#include "cuda/image_output.h"
#include "cuda/preprocess.h"
#include "transforms/frame_crop.h"
#include "transforms/grid_plan.h"

#include <tvw/error.h>

#include <ATen/core/CachingHostAllocator.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>

#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

namespace tvw::cuda {
namespace {

static_assert(std::is_trivially_copyable_v<grid::Job>);
static_assert(std::is_trivially_copyable_v<ResampleWindow>);

template<typename T>
std::vector<std::byte> bytes_of(const std::vector<T> &values) {
    const auto *first = reinterpret_cast<const std::byte *>(values.data());
    return {first, first + values.size() * sizeof(T)};
}

std::vector<std::byte> value_bytes(const Normalization &normalization, DType dtype) {
    if (dtype == DType::kFloat16)
        return bytes_of(level_values<uint16_t>(normalization, float_to_half));
    if (dtype == DType::kBFloat16)
        return bytes_of(level_values<uint16_t>(normalization, float_to_bfloat16));
    if (dtype == DType::kFloat32)
        return bytes_of(level_values<float>(normalization, [](float value) { return value; }));
    throw Error(ErrorKind::kInvalidArgument, "frames become float32, float16 or bfloat16, not " +
                                                 std::string(dtype_name(dtype)));
}

class GridPreprocessor : public FramePreprocessor {
public:
    explicit GridPreprocessor(const Transforms &preset) : plan_(preset) {}

    void enqueue(std::span<const FrameInput> frames, const ImageTensor &dst) override;

private:
    void plan(std::span<const FrameInput> frames, const ImageTensor &dst);
    void upload_tables(DType dtype, cudaStream_t stream);
    void upload_batch(std::span<const FrameInput> frames, cudaStream_t stream);
    template<typename T>
    void launch(const ImageTensor &dst, cudaStream_t stream);

    static c10::Allocator *on_gpu() { return c10::cuda::CUDACachingAllocator::get(); }
    static c10::Allocator *pinned() { return at::getHostAllocator(at::kCUDA); }

    GridPlan plan_;
    std::vector<FrameCrop> crops_;
    std::optional<uint64_t> version_; ///< of the tables on the GPU
    DType dtype_ = DType::kFloat32;   ///< of the values behind them
    size_t job_count_ = 0;

    // The tables, then jobs with the frames behind them: here and there.
    Buffer pinned_tables_{pinned()};
    Buffer pinned_batch_{pinned()};
    Buffer tables_{on_gpu()};
    Buffer batch_{on_gpu()};
    Buffer rows_{on_gpu()}; ///< between the passes
    const ResampleWindow *windows_ = nullptr;
    const float *weights_ = nullptr;
    const void *values_ = nullptr;
    Event uploaded_; ///< the pinned memory may be written to again
    Event produced_; ///< by another stream
};

void GridPreprocessor::plan(std::span<const FrameInput> frames, const ImageTensor &dst) {
    if (frames.size() > size_t{kMostJobs})
        throw Error(ErrorKind::kInvalidArgument,
                    "a batch has no more than " + std::to_string(kMostJobs) + " frames");
    plan_.plan(frames);
    const Size size = plan_.output();
    if (size.width > kMostColumns)
        throw Error(ErrorKind::kNotSupported, "images on a GPU are no wider than " +
                                                  std::to_string(kMostColumns) + " pixels");
    const Shape shape = {int64_t(frames.size()), int64_t{kChannels}, size.height, size.width};
    if (numel(shape) != dst.numel)
        throw Error(ErrorKind::kInvalidArgument, "preprocessing makes " + shape_text(shape) +
                                                     " values, but the destination takes " +
                                                     std::to_string(dst.numel));
}

/// Only where they are others than before.
void GridPreprocessor::upload_tables(DType dtype, cudaStream_t stream) {
    if (version_ == plan_.version() && dtype_ == dtype)
        return;
    version_.reset(); // should something below fail
    const std::vector<std::byte> values = value_bytes(plan_.normalization(), dtype);
    const size_t window_bytes = plan_.windows().size() * sizeof(ResampleWindow);
    const size_t weight_bytes = plan_.weights().size() * sizeof(float);
    const size_t bytes = window_bytes + weight_bytes + values.size();
    std::byte *staged = pinned_tables_.make_room(bytes);
    std::memcpy(staged, plan_.windows().data(), window_bytes);
    std::memcpy(staged + window_bytes, plan_.weights().data(), weight_bytes);
    std::memcpy(staged + window_bytes + weight_bytes, values.data(), values.size());
    std::byte *tables = tables_.make_room(bytes);
    C10_CUDA_CHECK(cudaMemcpyAsync(tables, staged, bytes, cudaMemcpyHostToDevice, stream));
    windows_ = reinterpret_cast<const ResampleWindow *>(tables);
    weights_ = reinterpret_cast<const float *>(tables + window_bytes);
    values_ = tables + window_bytes + weight_bytes;
    version_ = plan_.version();
    dtype_ = dtype;
}

/// The jobs and, behind them, what they read of frames that are not on the GPU.
void GridPreprocessor::upload_batch(std::span<const FrameInput> frames, cudaStream_t stream) {
    auto *rows = reinterpret_cast<float *>(rows_.make_room(plan_.row_floats() * sizeof(float)));
    const std::span<grid::Job> jobs = plan_.jobs(windows_, weights_, rows);
    job_count_ = jobs.size();
    size_t bytes = jobs.size_bytes();
    crops_.clear();
    for (size_t i = 0; i < jobs.size(); ++i) {
        if (!frames[i].frame.gpu)
            bytes += crops_.emplace_back(jobs[i]).bytes();
    }
    std::byte *staged = pinned_batch_.make_room(bytes);
    std::byte *batch = batch_.make_room(bytes);
    size_t end = jobs.size_bytes();
    auto crop = crops_.cbegin();
    for (size_t i = 0; i < jobs.size(); ++i) {
        if (frames[i].frame.gpu)
            continue;
        crop->copy_to(reinterpret_cast<uint8_t *>(staged + end));
        jobs[i].source = crop->source_at(reinterpret_cast<const uint8_t *>(batch + end));
        end += crop->bytes();
        ++crop;
    }
    std::memcpy(staged, jobs.data(), jobs.size_bytes());
    C10_CUDA_CHECK(cudaMemcpyAsync(batch, staged, bytes, cudaMemcpyHostToDevice, stream));
}

template<typename T>
void GridPreprocessor::launch(const ImageTensor &dst, cudaStream_t stream) {
    const auto output =
        image_output(dst, static_cast<const T *>(values_), plan_.output(), job_count_);
    C10_CUDA_CHECK(launch_preprocess(reinterpret_cast<const grid::Job *>(batch_.data()),
                                     int(job_count_), {plan_.columns(), plan_.rows()}, output,
                                     stream));
}

void GridPreprocessor::enqueue(std::span<const FrameInput> frames, const ImageTensor &dst) {
    plan(frames, dst);
    cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
    for (const FrameInput &input : frames) {
        if (input.frame.gpu && input.frame.gpu->stream != nullptr) {
            produced_.record(static_cast<cudaStream_t>(input.frame.gpu->stream));
            produced_.hold_back(stream);
        }
    }
    uploaded_.synchronize();
    upload_tables(dst.dtype, stream);
    upload_batch(frames, stream);
    uploaded_.record(stream);
    if (dst.dtype == DType::kFloat32)
        launch<float>(dst, stream);
    else
        launch<uint16_t>(dst, stream);
}

} // namespace

std::unique_ptr<FramePreprocessor> make_frame_preprocessor(const Transforms &preset) {
    return std::make_unique<GridPreprocessor>(preset);
}

} // namespace tvw::cuda
