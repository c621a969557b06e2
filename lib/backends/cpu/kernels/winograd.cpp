// SPDX-License-Identifier: LGPL-2.1-or-later
// Winograd's convolution in three phases over chunks of tiles that stay in the caches: transform
// the input's tiles, multiply for each of the 36 points, transform back. Threads take chunks; where
// these are few or the weights many, they work on one chunk together, and share the tiles in the
// first and last phase, and points and output channels in the middle one.
#include "base/simd.h"

#include "backends/cpu/kernels/winograd.h"

#include "backends/cpu/parallel.h"

#include <algorithm>
#include <utility>
#include <vector>

// What all targets share.
#ifndef TVW_CPU_WINOGRAD_ONCE
#define TVW_CPU_WINOGRAD_ONCE
namespace tvw::cpu {
namespace {

constexpr int64_t kTile = 4;  // results per side
constexpr int64_t kPatch = 6; // inputs per side
constexpr int64_t kPoints = kPatch * kPatch;

/// One call, and where its intermediate values lie in the scratch memory.
struct WinogradCall {
    Winograd::Shape shape;
    Image<const float> x;
    Image<float> y;
    Epilogue epilogue;
    const float *weights;

    int64_t tiles_high;
    int64_t tiles_wide;
    int64_t tiles;  ///< in all images
    int64_t chunks; ///< of tiles that are worked on at a time
    bool apart;     ///< each by one thread

    int64_t v_row; ///< floats from one tile's channels to the next
    int64_t m_row;
    int64_t v_point; ///< floats from one point to the next
    int64_t m_point;
    const float *zeros; ///< [in_channels], for what lies in the padding
    float *v;           ///< [kPoints][tiles of a chunk][in_channels]
    float *m;           ///< [kPoints][tiles of a chunk][out_channels, whole panels]

    int64_t chunk_floats() const { return kPoints * (v_point + m_point); }
    int64_t begin(int64_t chunk) const { return tiles * chunk / chunks; }
};

// Three quarters of a second-level cache for each thread.
constexpr int64_t kCacheFloats = int64_t{96} * 1024;
// Each chunk reads all weights, and this many tiles take as long as that does from a shared cache.
constexpr int64_t kLeastTiles = 24;
// Fewer chunks for each thread are not worth taking apart.
constexpr int64_t kLeastChunks = 2;
// Weights beyond are fetched from memory: once, by all threads together.
constexpr int64_t kMostSharedWeights = int64_t{4} * 1024 * 1024;

WinogradCall lay_out(const Winograd::Shape &shape, int64_t threads) {
    WinogradCall call{};
    call.shape = shape;
    call.tiles_high = (shape.out_height() + kTile - 1) / kTile;
    call.tiles_wide = (shape.out_width() + kTile - 1) / kTile;
    call.tiles = shape.batch * call.tiles_high * call.tiles_wide;
    call.v_row = odd_lines(shape.in_channels);
    call.m_row = odd_lines(panels_of(shape.out_channels) * kPanel);

    const int64_t weights = kPoints * shape.in_channels / shape.groups * shape.out_channels;
    const bool few_weights = weights <= kMostSharedWeights;
    call.apart = call.tiles >= threads * kLeastChunks * kLeastTiles && few_weights;
    const int64_t workers = call.apart ? 1 : threads;
    const int64_t most = std::max(kCacheFloats * workers / (kPoints * (call.v_row + call.m_row)),
                                  few_weights ? kLeastTiles : 2 * kLeastTiles);
    call.chunks = (call.tiles + most - 1) / most;
    if (call.apart) // equally many for threads that are equally fast
        call.chunks = (call.chunks + threads - 1) / threads * threads;
    const int64_t chunk = (call.tiles + call.chunks - 1) / call.chunks;
    call.v_point = odd_lines(chunk * call.v_row);
    call.m_point = odd_lines(chunk * call.m_row);
    return call;
}

} // namespace
} // namespace tvw::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/winograd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/microkernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

// Bᵀ · d for the points 0, 1, -1, 2, -2 and infinity, in twelve operations:
//   4 0 -5 0 1 0 | 0 -4 -4 1 1 0 | 0 4 -4 -1 1 0 | 0 -2 -1 2 1 0 | 0 2 -1 -2 1 0 | 0 4 0 -5 0 1
template<class D, class V = hn::Vec<D>>
HWY_INLINE void transform_input(D d, const V (&x)[kPatch], V (&out)[kPatch]) {
    const V two = hn::Set(d, 2.0f);
    const V four = hn::Set(d, 4.0f);
    const V even4 = hn::NegMulAdd(four, x[2], x[4]);
    const V odd4 = hn::NegMulAdd(four, x[1], x[3]);
    const V even1 = hn::Sub(x[4], x[2]);
    const V odd1 = hn::Sub(x[3], x[1]);
    out[0] = hn::MulAdd(four, hn::Sub(x[0], x[2]), even1);
    out[1] = hn::Add(even4, odd4);
    out[2] = hn::Sub(even4, odd4);
    out[3] = hn::MulAdd(two, odd1, even1);
    out[4] = hn::NegMulAdd(two, odd1, even1);
    out[5] = hn::NegMulAdd(four, odd1, hn::Sub(x[5], x[3]));
}

// Aᵀ · m in ten operations:
//   1 1 1 1 1 0 | 0 1 -1 2 -2 0 | 0 1 1 4 4 0 | 0 1 -1 8 -8 1
template<class D, class V = hn::Vec<D>>
HWY_INLINE void transform_output(D d, const V (&m)[kPatch], V (&out)[kTile]) {
    const V sum1 = hn::Add(m[1], m[2]);
    const V difference1 = hn::Sub(m[1], m[2]);
    const V sum2 = hn::Add(m[3], m[4]);
    const V difference2 = hn::Sub(m[3], m[4]);
    out[0] = hn::Add(hn::Add(m[0], sum1), sum2);
    out[1] = hn::MulAdd(hn::Set(d, 2.0f), difference2, difference1);
    out[2] = hn::MulAdd(hn::Set(d, 4.0f), sum2, sum1);
    out[3] = hn::MulAdd(hn::Set(d, 8.0f), difference2, hn::Add(difference1, m[5]));
}

/// Where a tile lies.
struct Place {
    int64_t n, y, x; ///< its first result
    Place(const WinogradCall &call, int64_t tile)
        : n(tile / (call.tiles_high * call.tiles_wide)),
          y(tile / call.tiles_wide % call.tiles_high * kTile),
          x(tile % call.tiles_wide * kTile) {}
};

using Patch = const float *[kPoints];

// The pixels of a tile; zeros for those in the padding.
inline void find_patch(const WinogradCall &call, const Place &place, Patch &patch) {
    const int64_t top = place.y - call.shape.padding[0];
    const int64_t left = place.x - call.shape.padding[1];
    const int64_t row = call.x.width * call.x.pixel;
    const float *corner = call.x.at(place.n, 0, 0) + top * row + left * call.x.pixel;
    const bool whole = top >= 0 && left >= 0 && top + kPatch <= call.shape.height &&
                       left + kPatch <= call.shape.width;
    for (int64_t i = 0; i < kPatch; ++i)
        for (int64_t j = 0; j < kPatch; ++j)
            patch[i * kPatch + j] = corner + i * row + j * call.x.pixel;
    if (whole)
        return;
    for (int64_t i = 0; i < kPatch; ++i)
        for (int64_t j = 0; j < kPatch; ++j)
            if (top + i < 0 || top + i >= call.shape.height || left + j < 0 ||
                left + j >= call.shape.width)
                patch[i * kPatch + j] = call.zeros;
}

// What the tile to the right will be the first to read. Pieces as short as some channels of a pixel
// are not fetched ahead by the processor itself.
HWY_INLINE void fetch_right(const Patch &patch, int64_t channel, int64_t distance) {
    for (int64_t i = kPatch - kTile; i < kPatch; ++i)
        for (int64_t j = kPatch - kTile; j < kPatch; ++j)
            __builtin_prefetch(patch[i * kPatch + j] + distance + channel);
}

// Channels begin, begin + lanes, … while whole vectors fit; answers where it ended.
template<class D>
HWY_INLINE int64_t transform_patch(D d, const WinogradCall &call, const Patch &patch, float *v,
                                   int64_t begin, int64_t end) {
    using V = hn::Vec<D>;
    constexpr int64_t lanes = int64_t(hn::MaxLanes(D()));
    int64_t c = begin;
    for (; c + lanes <= end; c += lanes) {
        if (c % kPanel == 0)
            fetch_right(patch, c, kTile * call.x.pixel);
        V half[kPatch][kPatch];
#pragma GCC unroll 1
        for (int64_t j = 0; j < kPatch; ++j) {
            V column[kPatch];
            V out[kPatch];
            for (int64_t i = 0; i < kPatch; ++i)
                column[i] = hn::LoadU(d, patch[i * kPatch + j] + c);
            transform_input(d, column, out);
            for (int64_t i = 0; i < kPatch; ++i)
                half[i][j] = out[i];
        }
        float *to = v + c;
#pragma GCC unroll 1
        for (int64_t i = 0; i < kPatch; ++i) {
            V out[kPatch];
            transform_input(d, half[i], out);
            for (int64_t j = 0; j < kPatch; ++j) {
                hn::StoreU(out[j], d, to);
                to += call.v_point;
            }
        }
    }
    return c;
}

// The tail of the channels takes narrower vectors: nothing beyond the input may be read.
void transform_inputs(const WinogradCall &call, int64_t first, int64_t begin, int64_t end) {
    const int64_t channels = call.shape.in_channels;
    for (int64_t tile = begin; tile < end; ++tile) {
        Patch patch;
        find_patch(call, Place(call, tile), patch);
        float *v = call.v + (tile - first) * call.v_row;
        int64_t c = transform_patch(FloatTag(), call, patch, v, 0, channels);
        c = transform_patch(hn::CappedTag<float, 4>(), call, patch, v, c, channels);
        transform_patch(hn::CappedTag<float, 1>(), call, patch, v, c, channels);
    }
}

/// How many products a chunk is made of: those of all points, groups and their strips of columns.
inline int64_t products_of(const WinogradCall &call) {
    const int64_t groups = call.shape.groups;
    return kPoints * groups * strips_of(call.shape.out_channels / groups);
}

void multiply_points(const WinogradCall &call, int64_t tiles, int64_t begin, int64_t end) {
    const int64_t groups = call.shape.groups;
    const int64_t depth = call.shape.in_channels / groups;
    const int64_t columns = call.shape.out_channels / groups;
    const int64_t strips = strips_of(columns);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t matrix = unit / strips; // of a point and a group
        const int64_t point = matrix / groups;
        const int64_t group = matrix % groups;
        const Strip strip = strip_at(call.weights + matrix * panels_of(columns) * depth * kPanel,
                                     columns, depth, unit % strips);
        const float *v = call.v + point * call.v_point + group * depth;
        float *m = call.m + point * call.m_point + group * columns + strip.column;
        const EqualParts blocks(tiles, block_rows(strip.vectors));
        const NextWeights next(strip.b + strip.panels() * depth * kPanel, depth, blocks.count());
        for (int64_t i = 0, after = 0; i < blocks.count(); i = after) {
            after = blocks.end_of_equal(i);
            const int64_t row = blocks.begin(i);
            Blocks equal{};
            equal.count = after - i;
            equal.a = v + row * call.v_row;
            equal.a_stride = call.v_row;
            equal.b = strip.b;
            equal.panel = depth * kPanel;
            equal.depth = depth;
            equal.c = m + row * call.m_row;
            equal.c_stride = call.m_row;
            equal.activation = kNoActivation;
            next.fetch(equal, i);
            kernel_for(blocks.size(i), strip.vectors)(equal);
        }
    }
}

/// One tile's results.
struct Results {
    const float *m;
    int64_t m_point;
    float *y;
    int64_t y_row;
    int64_t y_pixel;
    const float *bias;
    const float *residual;
    int64_t residual_row;
    int64_t residual_pixel;
    int64_t rows;
    int64_t columns;
};

template<int kActivation, class D>
HWY_INLINE int64_t store_results(D d, const Results &r, int64_t begin, int64_t end) {
    using V = hn::Vec<D>;
    constexpr int64_t lanes = int64_t(hn::MaxLanes(D()));
    int64_t c = begin;
    for (; c + lanes <= end; c += lanes) {
        V half[kTile][kPatch];
#pragma GCC unroll 1
        for (int64_t j = 0; j < kPatch; ++j) {
            V column[kPatch];
            V out[kTile];
            for (int64_t i = 0; i < kPatch; ++i)
                column[i] = hn::LoadU(d, r.m + (i * kPatch + j) * r.m_point + c);
            transform_output(d, column, out);
            for (int64_t i = 0; i < kTile; ++i)
                half[i][j] = out[i];
        }
        const V bias = r.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, r.bias + c);
#pragma GCC unroll 1
        for (int64_t i = 0; i < r.rows; ++i) {
            V out[kTile];
            transform_output(d, half[i], out);
            for (int64_t j = 0; j < kTile; ++j) {
                if (j >= r.columns)
                    break;
                V sum = hn::Add(out[j], bias);
                if (r.residual != nullptr)
                    sum = hn::Add(sum, hn::LoadU(d, r.residual + i * r.residual_row +
                                                        j * r.residual_pixel + c));
                hn::StoreU(activate_known<kActivation>(d, sum), d,
                           r.y + i * r.y_row + j * r.y_pixel + c);
            }
        }
    }
    return c;
}

template<int kActivation>
void transform_tile(const Results &r, int64_t channels) {
    int64_t c = store_results<kActivation>(FloatTag(), r, 0, channels);
    c = store_results<kActivation>(hn::CappedTag<float, 4>(), r, c, channels);
    store_results<kActivation>(hn::CappedTag<float, 1>(), r, c, channels);
}

using TransformTile = void (*)(const Results &, int64_t);

// Others than the most frequent activations are applied to what lies in the first-level cache.
inline TransformTile transform_for(int activation) {
    switch (activation) {
    case int(op::ActivationKind::kRelu):
        return &transform_tile<int(op::ActivationKind::kRelu)>;
    case int(op::ActivationKind::kSilu):
        return &transform_tile<int(op::ActivationKind::kSilu)>;
    default:
        return &transform_tile<kNoActivation>;
    }
}

inline bool is_left(int activation) {
    return activation != kNoActivation && activation != int(op::ActivationKind::kRelu) &&
           activation != int(op::ActivationKind::kSilu);
}

inline Results results_at(const WinogradCall &call, int64_t first, int64_t tile) {
    const Place place(call, tile);
    const int64_t pixel = (place.n * call.y.height + place.y) * call.y.width + place.x;
    const float *residual = call.epilogue.residual;
    const int64_t residual_pixel = call.epilogue.residual_pixel;
    return {call.m + (tile - first) * call.m_row,
            call.m_point,
            call.y.data + pixel * call.y.pixel,
            call.y.width * call.y.pixel,
            call.y.pixel,
            call.epilogue.bias,
            residual == nullptr ? nullptr : residual + pixel * residual_pixel,
            call.y.width * residual_pixel,
            residual_pixel,
            std::min(kTile, call.y.height - place.y),
            std::min(kTile, call.y.width - place.x)};
}

void transform_outputs(const WinogradCall &call, int64_t first, int64_t begin, int64_t end) {
    const int activation = activation_number(call.epilogue.activation);
    const TransformTile transform = transform_for(activation);
    const Finish finish = finish_for(activation);
    const int64_t channels = call.shape.out_channels;
    for (int64_t tile = begin; tile < end; ++tile) {
        const Results r = results_at(call, first, tile);
        transform(r, channels);
        for (int64_t i = 0; i < r.rows && is_left(activation); ++i) {
            float *y = r.y + i * r.y_row;
            finish({y, r.y_pixel, y, r.y_pixel, r.columns, channels, nullptr, nullptr, 0});
        }
    }
}

// All threads work on one chunk of tiles after the other.
void convolve_together(const WinogradCall &call) {
    const int64_t units = products_of(call);
    for (int64_t chunk = 0; chunk < call.chunks; ++chunk) {
        const int64_t first = call.begin(chunk);
        const int64_t tiles = call.begin(chunk + 1) - first;
        parallel(tiles, [&](int64_t begin, int64_t end) {
            transform_inputs(call, first, first + begin, first + end);
        });
        parallel(units,
                 [&](int64_t begin, int64_t end) { multiply_points(call, tiles, begin, end); });
        parallel(tiles, [&](int64_t begin, int64_t end) {
            transform_outputs(call, first, first + begin, first + end);
        });
    }
}

void convolve_apart(const WinogradCall &call) {
    const int64_t units = products_of(call);
    parallel(call.chunks, [&](int64_t begin, int64_t end) {
        WinogradCall own = call;
        own.v += team_member() * call.chunk_floats();
        own.m += team_member() * call.chunk_floats();
        for (int64_t chunk = begin; chunk < end; ++chunk) {
            const int64_t first = call.begin(chunk);
            const int64_t last = call.begin(chunk + 1);
            transform_inputs(own, first, first, last);
            multiply_points(own, last - first, 0, units);
            transform_outputs(own, first, first, last);
        }
    });
}

void convolve(const WinogradCall &call) {
    call.apart ? convolve_apart(call) : convolve_together(call);
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {
namespace {

// G · g · Gᵀ for one filter.
void transform_filter(const float *filter, double (&out)[kPoints]) {
    static constexpr double kG[kPatch][3] = {{1.0 / 4, 0, 0},
                                             {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                             {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                             {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                             {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                             {0, 0, 1}};
    double half[kPatch][3];
    for (int i = 0; i < kPatch; ++i)
        for (int j = 0; j < 3; ++j)
            half[i][j] = kG[i][0] * double(filter[j]) + kG[i][1] * double(filter[3 + j]) +
                         kG[i][2] * double(filter[6 + j]);
    for (int i = 0; i < kPatch; ++i)
        for (int j = 0; j < kPatch; ++j)
            out[i * kPatch + j] =
                half[i][0] * kG[j][0] + half[i][1] * kG[j][1] + half[i][2] * kG[j][2];
}

} // namespace

HWY_EXPORT(convolve);

SharedFloats Winograd::pack(const float *weight, int64_t out_channels, int64_t group_channels) {
    const int64_t point = panels_of(out_channels) * group_channels * kPanel;
    const auto values = aligned_floats(size_t(kPoints * point));
    for (int64_t o = 0; o < out_channels; ++o) {
        for (int64_t i = 0; i < group_channels; ++i) {
            double transformed[kPoints];
            transform_filter(weight + (o * group_channels + i) * 9, transformed);
            float *to = &values[(o / kPanel * group_channels + i) * kPanel + o % kPanel];
            for (int64_t p = 0; p < kPoints; ++p)
                to[p * point] = float(transformed[p]);
        }
    }
    return values;
}

Winograd::Winograd(const Shape &shape, SharedFloats weights)
    : shape_(shape), weights_(std::move(weights)) {}

size_t Winograd::scratch_floats(int threads) const {
    const WinogradCall call = lay_out(shape_, threads);
    return size_t(call.v_row + (call.apart ? threads : 1) * call.chunk_floats());
}

void Winograd::run(const Image<const float> &x, const Image<float> &y, const Epilogue &epilogue,
                   float *scratch) const {
    WinogradCall call = lay_out(shape_, team_size());
    call.x = x;
    call.y = y;
    call.epilogue = epilogue;
    call.weights = weights_.get();
    std::fill_n(scratch, call.v_row, 0.0f);
    call.zeros = scratch;
    call.v = scratch + call.v_row;
    call.m = call.v + kPoints * call.v_point;
    HWY_DYNAMIC_DISPATCH(convolve)(call);
}

// The times are those of one Zen 3 core with AVX2; what decides is how they compare.
bool winograd_pays(const Winograd::Shape &shape, int threads) {
    const auto in = double(shape.in_channels) / double(shape.groups); // that a result is made of
    const auto out = double(shape.out_channels);
    // Where products are short, direct convolution has the better blocks. Not worth a measurement.
    if (in < 16 || out < 16 ||
        (shape.groups > 1 && shape.out_channels / shape.groups % kPanel != 0))
        return false;
    const double product_ns = 1 / (shape.groups == 1 ? 48.5 : 26.0); // direct convolution
    constexpr double kPointProductNs = 1 / 43.0;                     // these are shorter
    constexpr double kTransformNs = 8.0; // a tile of one channel, either way
    // Weights are read from memory each time, and a second thread adds little to its bandwidth.
    const double weight_ns = threads == 1 ? 0.4 : 0.25;

    const WinogradCall call = lay_out(shape, threads);
    const auto tiles = double(call.tiles);
    const auto pixels = double(shape.batch * shape.out_height() * shape.out_width());
    const double direct =
        std::max(9 * pixels * in * out * product_ns / threads, 9 * in * out * weight_ns);
    const double winograd = std::max(double(kPoints) * tiles * in * out * kPointProductNs / threads,
                                     double(kPoints) * in * out * weight_ns) +
                            tiles * (double(shape.in_channels) + out) * kTransformNs / threads;
    return winograd < 0.9 * direct;
}

} // namespace tvw::cpu
#endif
