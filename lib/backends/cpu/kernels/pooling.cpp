// SPDX-License-Identifier: LGPL-2.1-or-later
// Pooling. All of it is bound by memory: a thread reads its rows from front to back, and keeps the
// results of several vectors of channels in registers meanwhile.
#include "base/simd.h"

#include "backends/cpu/kernels/pooling.h"

#include "backends/cpu/parallel.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/pooling.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef TVW_CPU_POOLING_ONCE
#define TVW_CPU_POOLING_ONCE
namespace tvw::cpu::pooling {

/// The part of a window that lies in the image, in one direction: [begin, end).
struct Range {
    int64_t begin;
    int64_t end;
};

inline Range clip(int64_t begin, int64_t length, int64_t size) {
    const int64_t end = std::min(begin + length, size);
    return {std::min(std::max<int64_t>(begin, 0), std::max<int64_t>(end, 0)),
            std::max<int64_t>(end, 0)};
}

enum class Windows { kMax, kAverage, kAdaptive };

struct PoolJob {
    Image<const float> x;
    Image<float> y;
    PoolWindow window;
};

/// Parts of an image that are summed up on their own at most; more threads would wait for memory.
inline constexpr int64_t kMostParts = 16;

struct MeanJob {
    Image<const float> x;
    int64_t parts;   ///< of each image
    float *partials; ///< [N, parts, C]
};

} // namespace tvw::cpu::pooling
#endif

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using pooling::MeanJob;
using pooling::PoolJob;
using pooling::Range;
using pooling::Windows;

/// Calls work.run<vectors>(d, c) for vectors that make up all channels, c being their first.
template<class Work>
HWY_INLINE void for_channels(int64_t channels, const Work &work) {
    const hn::CappedTag<float, 16> d;
    const hn::CappedTag<float, 4> quarter;
    const hn::CappedTag<float, 1> single;
    const int64_t lanes = int64_t(hn::Lanes(d));
    int64_t c = 0;
    for (; c + 8 * lanes <= channels; c += 8 * lanes)
        work.template run<8>(d, c);
    for (; c + 2 * lanes <= channels; c += 2 * lanes)
        work.template run<2>(d, c);
    for (; c + lanes <= channels; c += lanes)
        work.template run<1>(d, c);
    for (; c + 4 <= channels; c += 4)
        work.template run<1>(quarter, c);
    for (; c < channels; c++)
        work.template run<1>(single, c);
}

/// One pixel of a pool.
struct Window {
    const float *x; ///< the first pixel inside the image
    int64_t lines;
    int64_t columns;
    int64_t line; ///< floats to the next line
    int64_t pixel;
    float factor; ///< of sums
    float *y;
};

struct MaxOf {
    const Window &window;

    template<int kVectors, class D>
    HWY_INLINE void run(D d, int64_t c) const {
        const int64_t lanes = int64_t(hn::Lanes(d));
        using V = hn::Vec<D>;
        V most[kVectors];
        for (int v = 0; v < kVectors; v++)
            most[v] = hn::Set(d, -std::numeric_limits<float>::infinity());
        for (int64_t i = 0; i < window.lines; i++) {
            const float *x = window.x + i * window.line + c;
            for (int64_t j = 0; j < window.columns; j++, x += window.pixel) {
#pragma GCC unroll 8
                for (int v = 0; v < kVectors; v++) {
                    const V value = hn::LoadU(d, x + v * lanes);
                    // Once NaN, the largest stays so: no value compares as above it.
                    most[v] = hn::IfThenElse(hn::Or(hn::Gt(value, most[v]), hn::IsNaN(value)),
                                             value, most[v]);
                }
            }
        }
        for (int v = 0; v < kVectors; v++)
            hn::StoreU(most[v], d, window.y + c + v * lanes);
    }
};

struct SumOf {
    const Window &window;

    template<int kVectors, class D>
    HWY_INLINE void run(D d, int64_t c) const {
        const int64_t lanes = int64_t(hn::Lanes(d));
        using V = hn::Vec<D>;
        V sums[kVectors];
        for (int v = 0; v < kVectors; v++)
            sums[v] = hn::Zero(d);
        for (int64_t i = 0; i < window.lines; i++) {
            const float *x = window.x + i * window.line + c;
            for (int64_t j = 0; j < window.columns; j++, x += window.pixel) {
#pragma GCC unroll 8
                for (int v = 0; v < kVectors; v++)
                    sums[v] = hn::Add(sums[v], hn::LoadU(d, x + v * lanes));
            }
        }
        const V factor = hn::Set(d, window.factor);
        for (int v = 0; v < kVectors; v++)
            hn::StoreU(hn::Mul(sums[v], factor), d, window.y + c + v * lanes);
    }
};

void max_window(const Window &window, int64_t channels) {
    for_channels(channels, MaxOf{window});
}

void average_window(const Window &window, int64_t channels) {
    for_channels(channels, SumOf{window});
}

/// The rows [begin, end) of all images' rows.
template<Windows kWindows>
void pool_rows(const PoolJob &job, int64_t begin, int64_t end) {
    const Image<const float> &x = job.x;
    const Image<float> &y = job.y;
    const PoolWindow &shape = job.window;
    const auto range = [&](size_t side, int64_t i, int64_t in, int64_t out) {
        if (kWindows == Windows::kAdaptive)
            return Range{i * in / out, ((i + 1) * in + out - 1) / out};
        return pooling::clip(i * shape.stride[side] - shape.padding[side], shape.kernel[side], in);
    };
    for (int64_t row = begin; row < end; row++) {
        const int64_t n = row / y.height;
        const Range lines = range(0, row % y.height, x.height, y.height);
        for (int64_t column = 0; column < y.width; column++) {
            const Range columns = range(1, column, x.width, y.width);
            const int64_t height = lines.end - lines.begin, width = columns.end - columns.begin;
            const int64_t area =
                kWindows == Windows::kAdaptive ? height * width : shape.kernel[0] * shape.kernel[1];
            const Window window{x.at(n, lines.begin, columns.begin),
                                height,
                                width,
                                x.width * x.pixel,
                                x.pixel,
                                1 / float(area),
                                y.at(n, row % y.height, column)};
            if (kWindows == Windows::kMax)
                max_window(window, x.channels);
            else
                average_window(window, x.channels);
        }
    }
}

template<Windows kWindows>
void pool(const PoolJob &job) {
    parallel(job.y.batch * job.y.height,
             [&](int64_t begin, int64_t end) { pool_rows<kWindows>(job, begin, end); });
}

void run_max_pool(const PoolJob &job) {
    pool<Windows::kMax>(job);
}

void run_average_pool(const PoolJob &job) {
    pool<Windows::kAverage>(job);
}

void run_adaptive_pool(const PoolJob &job) {
    pool<Windows::kAdaptive>(job);
}

/// A part of an image, as a window of a single line.
void sum_part(const MeanJob &job, int64_t i) {
    const int64_t pixels = job.x.height * job.x.width;
    const int64_t part = i % job.parts;
    const int64_t first = pixels * part / job.parts;
    const int64_t last = pixels * (part + 1) / job.parts;
    const Window window{job.x.at(i / job.parts, 0, 0) + first * job.x.pixel,
                        1,
                        last - first,
                        0,
                        job.x.pixel,
                        1 / float(pixels),
                        job.partials + i * job.x.channels};
    average_window(window, job.x.channels);
}

void run_mean(const MeanJob &job) {
    parallel(job.x.batch * job.parts, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++)
            sum_part(job, i);
    });
}

struct ScaleOf {
    const float *x;
    const float *scale;
    float *y;

    template<int kVectors, class D>
    HWY_INLINE void run(D d, int64_t c) const {
        const int64_t lanes = int64_t(hn::Lanes(d));
#pragma GCC unroll 8
        for (int64_t v = 0; v < kVectors; v++) {
            const int64_t at = c + v * lanes;
            hn::StoreU(hn::Mul(hn::LoadU(d, x + at), hn::LoadU(d, scale + at)), d, y + at);
        }
    }
};

/// The pixels [begin, end) of all images' pixels.
void scale_pixels(const Image<const float> &x, const float *scale, const Image<float> &y,
                  int64_t begin, int64_t end) {
    const int64_t pixels = x.height * x.width;
    for (int64_t i = begin; i < end; i++)
        for_channels(x.channels, ScaleOf{x.data + i * x.pixel, scale + i / pixels * x.channels,
                                         y.data + i * y.pixel});
}

void run_scale(const Image<const float> &x, const float *scale, const Image<float> &y) {
    parallel(x.batch * x.height * x.width,
             [&](int64_t begin, int64_t end) { scale_pixels(x, scale, y, begin, end); });
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {
namespace {

/// Images of fewer floats than this are passed over before a team wakes.
constexpr int64_t kWorthATeam = int64_t{16} * 1024;

HWY_EXPORT(run_max_pool);
HWY_EXPORT(run_average_pool);
HWY_EXPORT(run_adaptive_pool);
HWY_EXPORT(run_mean);
HWY_EXPORT(run_scale);

} // namespace

void max_pool(Image<const float> x, Image<float> y, const PoolWindow &window) {
    HWY_DYNAMIC_DISPATCH(run_max_pool)({x, y, window});
}

void average_pool(Image<const float> x, Image<float> y, const PoolWindow &window) {
    HWY_DYNAMIC_DISPATCH(run_average_pool)({x, y, window});
}

void adaptive_average_pool(Image<const float> x, Image<float> y) {
    HWY_DYNAMIC_DISPATCH(run_adaptive_pool)({x, y, {}});
}

int64_t global_mean_scratch_floats(int64_t batch, int64_t channels) {
    return batch * channels * pooling::kMostParts;
}

void global_mean(Image<const float> x, float *mean, float *scratch) {
    const int64_t pixels = x.height * x.width;
    const bool alone = x.batch * pixels * x.channels < kWorthATeam;
    const int64_t parts = alone ? 1 : std::min({int64_t{team_size()}, pixels, pooling::kMostParts});
    const pooling::MeanJob job{x, parts, parts == 1 ? mean : scratch};
    const TeamScope team(alone ? 1 : team_size());
    HWY_DYNAMIC_DISPATCH(run_mean)(job);
    if (parts > 1)
        add_partials(x.batch, parts, x.channels, scratch, mean);
}

void scale_channels(Image<const float> x, const float *scale, Image<float> y) {
    const bool alone = x.batch * x.height * x.width * x.channels < kWorthATeam;
    const TeamScope team(alone ? 1 : team_size());
    HWY_DYNAMIC_DISPATCH(run_scale)(x, scale, y);
}

} // namespace tvw::cpu
#endif
