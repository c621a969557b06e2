// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames in a GPU's memory (GstCudaMemory), in builds that know them.
//
// Memory belongs to a CUDA context. LibTorch runs models in the primary context of a GPU, GStreamer
// makes contexts of its own, and what lies in one is nothing to the other. So the primary context
// is offered to the elements around: decoders that take it write frames where the model reads them.
#pragma once

#include <tvw/frame.h>

#include <gst/gst.h>

#include <optional>

namespace tvw::gst {

/// Whether this build can read such frames.
bool knows_cuda_memory();

/// Tells the bins around `element` of the primary context of GPU `gpu`, for elements that ask them
/// later. Nothing happens where there is no such GPU.
void share_cuda_context(GstElement *element, int gpu);
/// Answers an element nearby that asks for a context. False: it asks for another kind, or there is
/// no such GPU.
bool answer_context_query(GstElement *element, GstQuery *query, int gpu);

/// Where a model finds a buffer's frame.
enum class FramePlace {
    kHost,
    kGpu,          ///< in the memory of the GPU where the model runs
    kOtherContext, ///< on a GPU, where the model cannot read it: mapping copies it to the host
};
/// For a model on GPU `gpu`; none: on the CPU.
FramePlace place_of(GstBuffer *buffer, std::optional<int> gpu);
/// How it is mapped there.
GstMapFlags read_flags(FramePlace place);
/// Of a frame that is mapped; none: the host's.
std::optional<GpuMemory> gpu_memory(GstBuffer *buffer, FramePlace place, std::optional<int> gpu);

} // namespace tvw::gst
