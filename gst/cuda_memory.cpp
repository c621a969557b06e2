// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda_memory.h"

#include <gst/cuda/cuda-gst.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>
#if GST_CHECK_VERSION(1, 24, 0)
#include <gst/cuda/gstcudastream.h>
#endif

#include <bit>
#include <map>
#include <mutex>

#include <dlfcn.h>

namespace tvw::gst {

namespace {

/// Through the driver itself: GStreamer's own table of its functions has this one not.
CUcontext retain_primary_context(void *driver, CUdevice device) {
    using Retain = CUresult(CUcontext *, CUdevice);
    const auto retain = reinterpret_cast<Retain *>(dlsym(driver, "cuDevicePrimaryCtxRetain"));
    CUcontext context = nullptr;
    if (retain == nullptr || retain(&context, device) != CUDA_SUCCESS)
        return nullptr;
    return context;
}

GstCudaContext *wrap_primary_context(int gpu) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CUdevice device = 0;
    // GStreamer warns where it finds no driver; that is nothing to warn of here.
    if (driver == nullptr || !gst_cuda_load_library() || CuInit(0) != CUDA_SUCCESS ||
        CuDeviceGet(&device, gpu) != CUDA_SUCCESS)
        return nullptr;
    CUcontext primary = retain_primary_context(driver, device);
    GstCudaContext *context = primary ? gst_cuda_context_new_wrapped(primary, device) : nullptr;
    if (context)
        GST_OBJECT_FLAG_SET(context, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    return context;
}

/// One object for all elements, since GStreamer takes two for two contexts. LibTorch keeps the
/// context as long as the process lasts, and so does this. nullptr where there is no such GPU.
GstCudaContext *primary_context(int gpu) {
    static std::mutex mutex;
    static auto *contexts = new std::map<int, GstCudaContext *>;
    const std::lock_guard lock(mutex);
    const auto [entry, is_new] = contexts->try_emplace(gpu, nullptr);
    if (is_new)
        entry->second = wrap_primary_context(gpu);
    return entry->second;
}

/// nullptr for buffers in other memory.
GstCudaMemory *cuda_memory_of(GstBuffer *buffer) {
    if (gst_buffer_n_memory(buffer) != 1)
        return nullptr;
    GstMemory *memory = gst_buffer_peek_memory(buffer, 0);
    return gst_is_cuda_memory(memory) ? GST_CUDA_MEMORY_CAST(memory) : nullptr;
}

/// Whose work fills the memory; nullptr where that is done. Elements before 1.24 wait for it before
/// they push a buffer.
void *writing_stream([[maybe_unused]] GstCudaMemory *memory) {
#if GST_CHECK_VERSION(1, 24, 0)
    if (GstCudaStream *stream = gst_cuda_memory_get_stream(memory)) {
        if (CUstream handle = gst_cuda_stream_get_handle(stream))
            return handle;
    }
    gst_cuda_memory_sync(memory); // of the default stream
#endif
    return nullptr;
}

} // namespace

bool knows_cuda_memory() {
    return true;
}

void share_cuda_context(GstElement *element, int gpu) {
    GstCudaContext *primary = primary_context(gpu);
    if (!primary)
        return;
    GstContext *context = gst_context_new_cuda_context(primary);
    gst_element_post_message(element, gst_message_new_have_context(GST_OBJECT(element), context));
}

bool answer_context_query(GstElement *element, GstQuery *query, int gpu) {
    const gchar *type = nullptr;
    if (!gst_query_parse_context_type(query, &type) || !g_str_equal(type, GST_CUDA_CONTEXT_TYPE))
        return false;
    GstCudaContext *primary = primary_context(gpu);
    return primary && gst_cuda_handle_context_query(element, query, primary);
}

FramePlace place_of(GstBuffer *buffer, std::optional<int> gpu) {
    const GstCudaMemory *memory = gpu ? cuda_memory_of(buffer) : nullptr;
    if (!memory)
        return FramePlace::kHost;
    GstCudaContext *primary = primary_context(*gpu);
    const bool readable = primary && gst_cuda_context_get_handle(primary) ==
                                         gst_cuda_context_get_handle(memory->context);
    return readable ? FramePlace::kGpu : FramePlace::kOtherContext;
}

GstMapFlags read_flags(FramePlace place) {
    if (place != FramePlace::kGpu)
        return GST_MAP_READ;
    // The flag is no value of the enumeration, so that a cast would be diagnosed.
    return std::bit_cast<GstMapFlags>(guint(GST_MAP_READ) | guint(GST_MAP_CUDA));
}

std::optional<GpuMemory> gpu_memory(GstBuffer *buffer, FramePlace place, std::optional<int> gpu) {
    if (place != FramePlace::kGpu)
        return std::nullopt;
    return GpuMemory{gpu.value(), writing_stream(cuda_memory_of(buffer))};
}

} // namespace tvw::gst
