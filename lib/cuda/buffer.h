// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory and events of a GPU, through LibTorch's pools.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/cuda/CUDAException.h>

#include <algorithm>
#include <cstddef>

namespace tvw::cuda {

/// Memory that grows, and is kept from one use to the next.
class Buffer {
public:
    explicit Buffer(c10::Allocator *allocator) : allocator_(allocator) {}

    std::byte *data() const { return static_cast<std::byte *>(memory_.get()); }
    /// Room for so many bytes; what was there before is lost if it had less.
    std::byte *make_room(size_t bytes) {
        if (bytes > room_) {
            const size_t grown = std::max(bytes, room_ + room_ / 2);
            room_ = 0; // should the allocation fail
            memory_.clear();
            memory_ = allocator_->allocate(grown);
            room_ = grown;
        }
        return data();
    }

private:
    c10::Allocator *allocator_;
    c10::DataPtr memory_;
    size_t room_ = 0;
};

/// A point in a stream's work. Before it is first recorded nobody waits for it.
class Event {
public:
    Event() { C10_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
    ~Event() { C10_CUDA_CHECK_WARN(cudaEventDestroy(event_)); }
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;

    void record(cudaStream_t stream) { C10_CUDA_CHECK(cudaEventRecord(event_, stream)); }
    void hold_back(cudaStream_t stream) { C10_CUDA_CHECK(cudaStreamWaitEvent(stream, event_)); }
    void synchronize() { C10_CUDA_CHECK(cudaEventSynchronize(event_)); }

private:
    cudaEvent_t event_ = nullptr;
};

} // namespace tvw::cuda
