// SPDX-License-Identifier: LGPL-2.1-or-later
// Threads take chunks of pixels, lay out their patches in memory of their own that stays in the
// caches, and multiply them. Where chunks are few, all lay out the patches of a group together, and
// then share the product.
#include "base/simd.h"

#include "backends/cpu/kernels/convolution.h"
#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/parallel.h"

#include <algorithm>
#include <utility>

// What all targets share.
#ifndef TVW_CPU_CONVOLUTION_ONCE
#define TVW_CPU_CONVOLUTION_ONCE
namespace tvw::cpu {
namespace {

/// One call, and how its work is cut up.
struct ConvolutionCall {
    Convolution::Shape shape;
    Image<const float> x;
    Image<float> y;
    Epilogue epilogue;
    const float *weights;
    float *scratch;

    int64_t pixels; ///< of all results
    int64_t row; ///< floats from one patch to the next; beyond a patch there is room for a vector
    int64_t chunks; ///< of pixels
    bool apart;     ///< a chunk is one thread's

    int64_t begin(int64_t chunk) const { return pixels * chunk / chunks; }
    int64_t chunk_floats() const { return (pixels + chunks - 1) / chunks * row; }
};

// Each chunk reads all weights; fewer pixels would wait for them.
constexpr int64_t kLeastPixels = 64;
// Fewer chunks for each thread are not worth taking apart.
constexpr int64_t kLeastChunks = 4;

ConvolutionCall lay_out(const Convolution::Shape &shape, int64_t threads) {
    ConvolutionCall call{};
    call.shape = shape;
    call.pixels = shape.batch * shape.out_height() * shape.out_width();
    call.row = odd_lines(shape.patch() + kPanel);
    const int64_t most = std::max(kHalfCacheFloats / call.row, kLeastPixels);
    call.chunks = std::max<int64_t>((call.pixels + most - 1) / most, 1);
    call.apart = threads == 1 || call.chunks * shape.groups >= kLeastChunks * threads;
    if (!call.apart)
        call.chunks = 1;
    return call;
}

} // namespace
} // namespace tvw::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/convolution.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/gemm-inl.h"
#include "backends/cpu/kernels/patches-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

/// The product that gives a group's results from pixel `first` on.
inline Product product_of(const ConvolutionCall &call, int64_t group, int64_t first, int64_t rows,
                          const float *patches) {
    const int64_t out = call.shape.out_channels / call.shape.groups;
    const int64_t column = group * out;
    return {patches,
            call.row,
            rows,
            call.y.data + first * call.y.pixel + column,
            call.y.pixel,
            call.weights + group * panels_of(out) * call.shape.patch() * kPanel,
            out,
            call.shape.patch(),
            call.epilogue.of(first, column)};
}

void convolve_together(const ConvolutionCall &call) {
    for (int64_t group = 0; group < call.shape.groups; ++group) {
        const Patches<float> patches(call.shape, call.x, group);
        parallel(call.pixels, [&](int64_t begin, int64_t end) {
            patches.lay_out(begin, end, call.scratch + begin * call.row, call.row);
        });
        multiply(product_of(call, group, 0, call.pixels, call.scratch));
    }
}

void convolve_apart(const ConvolutionCall &call) {
    parallel(call.shape.groups * call.chunks, [&](int64_t begin, int64_t end) {
        float *own = call.scratch + team_member() * call.chunk_floats();
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t group = unit % call.shape.groups;
            const int64_t first = call.begin(unit / call.shape.groups);
            const int64_t last = call.begin(unit / call.shape.groups + 1);
            const Patches<float> patches(call.shape, call.x, group);
            patches.lay_out(first, last, own, call.row);
            multiply_alone<Columns::kDense>(product_of(call, group, first, last - first, own));
        }
    });
}

void convolve_patches(const ConvolutionCall &call) {
    call.apart ? convolve_apart(call) : convolve_together(call);
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(convolve_patches);

SharedFloats Convolution::pack(const float *weight, const Shape &shape) {
    return pack_filters(weight, shape.out_channels, shape.groups, shape.kernel[0] * shape.kernel[1],
                        1, shape.in_channels / shape.groups);
}

Convolution::Convolution(const Shape &shape, SharedFloats weights)
    : shape_(shape), weights_(std::move(weights)) {}

size_t Convolution::scratch_floats(int threads) const {
    const ConvolutionCall call = lay_out(shape_, threads);
    return size_t((call.apart ? threads : 1) * call.chunk_floats());
}

void Convolution::run(const Image<const float> &x, const Image<float> &y, const Epilogue &epilogue,
                      float *scratch) const {
    ConvolutionCall call = lay_out(shape_, team_size());
    call.x = x;
    call.y = y;
    call.epilogue = epilogue;
    call.weights = weights_.get();
    call.scratch = scratch;
    HWY_DYNAMIC_DISPATCH(convolve_patches)(call);
}

} // namespace tvw::cpu
#endif
