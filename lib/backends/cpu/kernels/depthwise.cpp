// SPDX-License-Identifier: LGPL-2.1-or-later
// Depthwise convolution. The sums of up to 8 neighbouring pixels of one result row stay in
// registers; an input vector is loaded once for each kernel row and added to every sum that it
// belongs to. A thread works on one cache line of channels in a band of rows, so that the rows that
// successive result rows share are in the nearest cache, and the lines beside in the next one.
#include "base/simd.h"

#include "backends/cpu/kernels/depthwise.h"
#include "backends/cpu/kernels/depthwise_job.h"

#include "backends/cpu/parallel.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/depthwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using depthwise::Job;
using depthwise::kBlock;
using depthwise::kLeastTile;
using depthwise::kMostLines;
using depthwise::kMostTile;
using depthwise::kMostUnit;
using depthwise::Taps;
using op::ActivationKind;
using Kind = std::optional<ActivationKind>;

/// A row of the result for one vector of channels.
struct Row {
    const float *x[kMostLines]; ///< the input rows of the taps inside the image, and in them
    int64_t x_offset;           ///< the vector's first channel
    const float *w;             ///< the first tap's weights
    const float *bias;
    const float *residual;
    float *y;
    float *sums;      ///< of the vector's channels, or null
    float *late_sums; ///< the same, if the activation follows later
    int64_t width;
    int64_t out_width;
    int64_t left; ///< padding
    int64_t x_pixel;
    int64_t x_line; ///< floats to the input row of the next tap
    int64_t w_line;
    int64_t y_pixel;
    int64_t residual_pixel;
    int64_t lines; ///< rows of the kernel that lie inside the image
    int64_t taps;  ///< of a row of the kernel; as the next two for kernels that have no code of
                   ///< their own
    int64_t stride;
    int64_t dilation;
    Kind activation;
};

/// Activations that cost so little that a tile applies them in its registers. Others would make
/// each tile's code long, and follow when the row is done.
inline bool is_cheap(Kind kind) {
    return !kind || *kind == ActivationKind::kRelu || *kind == ActivationKind::kRelu6 ||
           *kind == ActivationKind::kHardswish;
}

template<class D, class V, int kTile>
HWY_INLINE void activate_tile(D d, V (&sums)[kTile], ActivationKind kind) {
    switch (kind) {
    case ActivationKind::kRelu:
#pragma GCC unroll 16
        for (int i = 0; i < kTile; i++)
            sums[i] = activate_as<ActivationKind::kRelu>(d, sums[i]);
        break;
    case ActivationKind::kRelu6:
#pragma GCC unroll 16
        for (int i = 0; i < kTile; i++)
            sums[i] = activate_as<ActivationKind::kRelu6>(d, sums[i]);
        break;
    case ActivationKind::kHardswish:
#pragma GCC unroll 16
        for (int i = 0; i < kTile; i++)
            sums[i] = activate_as<ActivationKind::kHardswish>(d, sums[i]);
        break;
    default:
        break;
    }
}

/// Loads a vector that several sums need. GCC would load it again for each of them, and what is a
/// multiple of a cache line apart, as neighbouring pixels often are, is loaded one at a time.
template<class D>
HWY_INLINE hn::Vec<D> load_once(D d, const float *from) {
    hn::Vec<D> value = hn::LoadU(d, from);
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
    asm("" : "+v"(value.raw)); // It may have changed, for all that the compiler knows.
#endif
    return value;
}

/// The columns of a kernel that padding usually makes lie outside of the image.
template<int kKernel>
inline constexpr int kEdgeColumns = kKernel / 2;

/// Which columns of a tile lie outside of the image: those of one side or both, as many as
/// kEdgeColumns; or, found out as they come, so many at most.
enum class Edge { kNone, kLeft, kRight, kBoth, kAny };

constexpr bool has_left(Edge edge) {
    return edge == Edge::kLeft || edge == Edge::kBoth;
}

constexpr bool has_right(Edge edge) {
    return edge == Edge::kRight || edge == Edge::kBoth;
}

/// Adds to the sums of kTile pixels what one row of the kernel gives. Column i of the input belongs
/// to tap i - kStride · j of pixel j. Only columns in [begin, end) exist.
template<int kKernel, int kStride, Edge kEdge, class D, class V, int kTile>
HWY_INLINE void add_line(D d, V (&sums)[kTile], const float *HWY_RESTRICT x, int64_t x_pixel,
                         const float *HWY_RESTRICT w, int64_t begin, int64_t end) {
    V weights[kKernel];
#pragma GCC unroll 16
    for (int k = 0; k < kKernel; k++)
        weights[k] = hn::LoadU(d, w + k * kBlock);
    constexpr int kColumns = kStride * (kTile - 1) + kKernel;
    // Columns a kernel's width apart have no sums in common. Taking them one after the other, the
    // processor adds to every sum once before it needs any of them again. Wide kernels have work
    // enough in each column, and no registers to spare.
    constexpr int kStep = kKernel > 5 ? 1 : kKernel;
    constexpr int kOutside = kEdgeColumns<kKernel>;
#pragma GCC unroll 16
    for (int first = 0; first < kStep; first++) {
#pragma GCC unroll 32
        for (int i = first; i < kColumns; i += kStep) {
            if ((has_left(kEdge) && i < kOutside) || (has_right(kEdge) && i >= kColumns - kOutside))
                continue;
            if (kEdge == Edge::kAny &&
                ((i < kOutside && i < begin) || (i >= kColumns - kOutside && i >= end)))
                continue;
            const V input =
                kStep > 1 ? load_once(d, x + i * x_pixel) : hn::LoadU(d, x + i * x_pixel);
#pragma GCC unroll 16
            for (int j = 0; j < kTile; j++) {
                const int k = i - kStride * j;
                if (k >= 0 && k < kKernel)
                    sums[j] = hn::MulAdd(input, weights[k], sums[j]);
            }
        }
    }
}

/// Stores the pixels from `first` on.
template<class D, class V, int kTile>
HWY_INLINE void finish_tile(D d, const Row &row, int64_t first, V (&sums)[kTile]) {
    if (row.residual) {
        const float *residual = row.residual + first * row.residual_pixel;
#pragma GCC unroll 16
        for (int i = 0; i < kTile; i++)
            sums[i] = hn::Add(sums[i], hn::LoadU(d, residual + i * row.residual_pixel));
    }
    if (row.activation)
        activate_tile(d, sums, *row.activation);
    float *y = row.y + first * row.y_pixel;
#pragma GCC unroll 16
    for (int i = 0; i < kTile; i++, y += row.y_pixel)
        hn::StoreU(sums[i], d, y);
    if (row.sums) {
        V total = sums[0];
#pragma GCC unroll 16
        for (int i = 1; i < kTile; i++)
            total = hn::Add(total, sums[i]);
        hn::StoreU(hn::Add(total, hn::LoadU(d, row.sums)), d, row.sums);
    }
}

/// Computes kTile pixels from `first` on.
template<int kKernel, int kStride, int kTile, Edge kEdge, class D>
HWY_INLINE void tile(D d, const Row &row, int64_t first) {
    using V = hn::Vec<D>;
    const V bias = row.bias ? hn::LoadU(d, row.bias) : hn::Zero(d);
    V sums[kTile];
#pragma GCC unroll 16
    for (int i = 0; i < kTile; i++)
        sums[i] = bias;
    const int64_t column = first * kStride - row.left;
    const int64_t offset = column * row.x_pixel + row.x_offset;
    const float *w = row.w;
    for (int64_t line = 0; line < row.lines; line++, w += row.w_line)
        add_line<kKernel, kStride, kEdge>(d, sums, row.x[line] + offset, row.x_pixel, w, -column,
                                          row.width - column);
    finish_tile(d, row, first, sums);
}

/// Computes `count` pixels from `first` on, with every kernel, stride, dilation and padding.
template<class D>
HWY_NOINLINE void any_pixels(D d, const Row &row, int64_t first, int64_t count) {
    using V = hn::Vec<D>;
    for (int64_t i = first; i < first + count; i++) {
        V sum = row.bias ? hn::LoadU(d, row.bias) : hn::Zero(d);
        const int64_t column = i * row.stride - row.left;
        const Taps taps = depthwise::taps_inside(column, row.taps, row.dilation, row.width);
        for (int64_t line = 0; line < row.lines; line++) {
            const float *x = row.x[0] + line * row.x_line + row.x_offset;
            const float *w = row.w + line * row.w_line;
            for (int64_t tap = taps.begin; tap < taps.end; tap++) {
                const V input = hn::LoadU(d, x + (column + tap * row.dilation) * row.x_pixel);
                sum = hn::MulAdd(input, hn::LoadU(d, w + tap * kBlock), sum);
            }
        }
        V result[1] = {sum};
        finish_tile(d, row, i, result);
    }
}

/// Computes `count` tiles of equal size from pixel `first` on.
template<int kKernel, int kStride, int kTile, class D>
HWY_NOINLINE void tiles(D d, const Row &row, int64_t first, int64_t count) {
    constexpr int64_t kColumns = kStride * (kTile - 1) + kKernel;
    constexpr int64_t kOutside = kEdgeColumns<kKernel>;
    // Where it pays, the usual edges have code of their own.
    constexpr bool kFixed = kKernel <= 5;
    for (; count > 0; count--, first += kTile) {
        const int64_t left = row.left - first * kStride;
        const int64_t right = kColumns - left - row.width;
        if (left <= 0 && right <= 0)
            tile<kKernel, kStride, kTile, Edge::kNone>(d, row, first);
        else if (kFixed && left == kOutside && right <= 0)
            tile<kKernel, kStride, kTile, Edge::kLeft>(d, row, first);
        else if (kFixed && kStride == 1 && left <= 0 && right == kOutside)
            tile<kKernel, kStride, kTile, Edge::kRight>(d, row, first);
        else if (kFixed && kStride == 1 && left == kOutside && right == kOutside)
            tile<kKernel, kStride, kTile, Edge::kBoth>(d, row, first);
        else if (left <= kOutside && right <= kOutside)
            tile<kKernel, kStride, kTile, Edge::kAny>(d, row, first);
        else
            any_pixels(d, row, first, kTile);
    }
}

template<class D>
using Tiles = void (*)(D d, const Row &row, int64_t first, int64_t count);

/// How a row is divided into tiles: their sizes differ by one at most, so that every width of 4 and
/// more is made of tiles of at least 4, which keep the multipliers busy.
template<class D>
struct Split {
    Tiles<D> larger = nullptr;
    int64_t larger_count = 0;
    int64_t larger_end = 0; ///< the pixel after them
    Tiles<D> smaller = nullptr;
    int64_t smaller_count = 0;
};

template<int kKernel, int kStride, class D>
Split<D> split_row(int64_t out_width) {
    constexpr Tiles<D> kTiles[] = {
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        tiles<kKernel, kStride, 4, D>,
        tiles<kKernel, kStride, 5, D>,
        tiles<kKernel, kStride, 6, D>,
        tiles<kKernel, kStride, 7, D>,
        tiles<kKernel, kStride, 8, D>,
    };
    if (out_width < kLeastTile)
        return {nullptr, 0, 0, any_pixels<D>, out_width};
    // A wide kernel's weights need a register more than 8 sums leave.
    constexpr int64_t kMost = kKernel > 5 ? kMostTile - 1 : kMostTile;
    const int64_t count = (out_width + kMost - 1) / kMost;
    const int64_t size = out_width / count;
    const int64_t larger = out_width % count;
    return {larger > 0 ? kTiles[size + 1] : nullptr, larger, larger * (size + 1), kTiles[size],
            count - larger};
}

template<class D>
Split<D> choose_split(D, const Job &job) {
    const int64_t width = job.y.width;
    const int64_t stride = job.shape.stride[1];
    const bool unrolled = hn::MaxLanes(D()) > 1 && job.shape.dilation[1] == 1 && stride <= 2 &&
                          job.shape.kernel[0] <= kMostLines;
    switch (unrolled ? job.shape.kernel[1] * 10 + stride : 0) {
    case 31:
        return split_row<3, 1, D>(width);
    case 32:
        return split_row<3, 2, D>(width);
    case 51:
        return split_row<5, 1, D>(width);
    case 52:
        return split_row<5, 2, D>(width);
    case 71:
        return split_row<7, 1, D>(width);
    case 72:
        return split_row<7, 2, D>(width);
    default:
        return {nullptr, 0, 0, any_pixels<D>, width};
    }
}

/// Applies an activation to a row that is done but for that.
template<ActivationKind kKind, class D>
void activate_row(D d, const Row &row) {
    float *y = row.y;
    auto total = hn::Zero(d);
    for (int64_t i = 0; i < row.out_width; i++, y += row.y_pixel) {
        const auto value = activate_as<kKind>(d, hn::LoadU(d, y));
        hn::StoreU(value, d, y);
        total = hn::Add(total, value);
    }
    if (row.late_sums)
        hn::StoreU(hn::Add(hn::LoadU(d, row.late_sums), total), d, row.late_sums);
}

template<class D>
using ActivateRow = void (*)(D d, const Row &row);

template<class D>
ActivateRow<D> late_activation(D, Kind kind) {
    if (is_cheap(kind))
        return nullptr;
    switch (*kind) {
    case ActivationKind::kSilu:
        return activate_row<ActivationKind::kSilu, D>;
    case ActivationKind::kSigmoid:
        return activate_row<ActivationKind::kSigmoid, D>;
    case ActivationKind::kHardsigmoid:
        return activate_row<ActivationKind::kHardsigmoid, D>;
    case ActivationKind::kGelu:
        return activate_row<ActivationKind::kGelu, D>;
    case ActivationKind::kTanh:
        return activate_row<ActivationKind::kTanh, D>;
    case ActivationKind::kExp:
        return activate_row<ActivationKind::kExp, D>;
    default:
        return nullptr;
    }
}

/// Where the weights of the channels from c on are. They are read in vectors that begin at a
/// multiple of their length or end with the last channel.
inline const float *weight_of(const Job &job, int64_t c, int64_t lanes) {
    const int64_t channels = job.shape.channels;
    const int64_t block_floats = job.shape.kernel[0] * job.shape.kernel[1] * kBlock;
    const int64_t full = channels / kBlock;
    if (c + lanes <= full * kBlock)
        return job.weight + c / kBlock * block_floats + c % kBlock;
    return job.weight + full * block_floats + c - std::max<int64_t>(channels - kBlock, 0);
}

/// Some vectors of channels of a band of rows of one image.
template<class D>
class Worker {
public:
    Worker(D d, const Job &job)
        : d_(d),
          job_(job),
          split_(choose_split(d, job)),
          late_(late_activation(d, job.epilogue.activation)) {
        const Depthwise::Shape &shape = job.shape;
        row_.width = shape.width;
        row_.out_width = job.y.width;
        row_.left = shape.padding[1];
        row_.x_pixel = job.x.pixel;
        row_.x_line = job.x.pixel * shape.width * shape.dilation[0];
        row_.w_line = shape.kernel[1] * kBlock;
        row_.y_pixel = job.y.pixel;
        row_.residual_pixel = job.epilogue.residual_pixel;
        row_.taps = shape.kernel[1];
        row_.stride = shape.stride[1];
        row_.dilation = shape.dilation[1];
        row_.activation = late_ ? Kind() : job.epilogue.activation;
    }

    /// The channels [begin, end): as many vectors as that takes, the last of which ends with the
    /// last channel even if it begins within the one before.
    void run(int64_t n, int64_t band, int64_t begin, int64_t end) {
        const int64_t lanes = int64_t(hn::Lanes(d_));
        const int64_t vectors = (end - begin + lanes - 1) / lanes;
        HWY_ALIGN float sums[kMostUnit + kBlock] = {};
        const int64_t height = job_.y.height;
        const int64_t last = height * (band + 1) / job_.bands;
        for (int64_t y = height * band / job_.bands; y < last; y++) {
            const Taps taps = set_lines(n, y);
            for (int64_t v = 0; v < vectors; v++)
                run_row(n, y, std::min(begin + v * lanes, end - lanes), taps, sums + v * lanes);
        }
        if (!job_.partials)
            return;
        float *partials = job_.partials + (n * job_.bands + band) * job_.shape.channels;
        for (int64_t v = 0; v < vectors; v++)
            hn::StoreU(hn::Load(d_, sums + v * lanes), d_,
                       partials + std::min(begin + v * lanes, end - lanes));
    }

private:
    /// Finds the input rows that row y of the result is made of.
    Taps set_lines(int64_t n, int64_t y) {
        const Depthwise::Shape &shape = job_.shape;
        const int64_t top = y * shape.stride[0] - shape.padding[0];
        const Taps taps =
            depthwise::taps_inside(top, shape.kernel[0], shape.dilation[0], shape.height);
        row_.lines = std::max<int64_t>(taps.end - taps.begin, 0);
        for (int64_t line = 0; line < std::min(row_.lines, kMostLines); line++)
            row_.x[line] = job_.x.at(n, top + (taps.begin + line) * shape.dilation[0], 0);
        return taps;
    }

    void run_row(int64_t n, int64_t y, int64_t c, Taps taps, float *sums) {
        row_.x_offset = c;
        row_.w = weight_of(job_, c, int64_t(hn::Lanes(d_))) + taps.begin * row_.w_line;
        row_.y = job_.y.at(n, y, 0) + c;

        const Epilogue &epilogue = job_.epilogue;
        row_.bias = epilogue.bias ? epilogue.bias + c : nullptr;
        if (epilogue.residual)
            row_.residual = epilogue.residual +
                            (n * job_.y.height + y) * job_.y.width * row_.residual_pixel + c;
        if (job_.partials)
            (late_ ? row_.late_sums : row_.sums) = sums;
        if (split_.larger)
            split_.larger(d_, row_, 0, split_.larger_count);
        split_.smaller(d_, row_, split_.larger_end, split_.smaller_count);
        if (late_)
            late_(d_, row_);
    }

    D d_;
    const Job &job_;
    Split<D> split_;
    ActivateRow<D> late_;
    Row row_{};
};

void run_depthwise(const Job &job, float *channel_sums) {
    const hn::CappedTag<float, size_t(kBlock)> d;
    const hn::CappedTag<float, 1> single;
    const int64_t lanes = int64_t(hn::Lanes(d));
    const int64_t channels = job.shape.channels;
    // What vectors do; the others one by one. The last vector may compute some channels a second
    // time, which must not be where the residual was overwritten.
    int64_t whole = channels < lanes ? 0 : channels;
    if (job.epilogue.residual)
        whole = channels / lanes * lanes;
    // A rest shorter than a vector is left to the unit before, whose channels it needs.
    const int64_t units = (whole + job.unit - lanes) / job.unit;
    const int64_t parts = units + (whole < channels ? 1 : 0);
    parallel(job.shape.batch * job.bands * parts, [&](int64_t begin, int64_t end) {
        Worker vectors(d, job);
        Worker singles(single, job);
        for (int64_t i = begin; i < end; i++) {
            const int64_t part = i % parts;
            const int64_t band = i / parts % job.bands;
            const int64_t n = i / parts / job.bands;
            const int64_t first = part * job.unit;
            if (part >= units)
                singles.run(n, band, whole, channels);
            else
                vectors.run(n, band, first, part + 1 < units ? first + job.unit : whole);
        }
    });
    if (job.partials)
        add_partials(job.shape.batch, job.bands, channels, job.partials, channel_sums);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

using depthwise::kBlock;

HWY_EXPORT(run_depthwise);

DepthwiseWeight pack_depthwise(const float *weight, int64_t channels,
                               std::array<int64_t, 2> kernel) {
    const int64_t taps = kernel[0] * kernel[1];
    const int64_t blocks = (channels + kBlock - 1) / kBlock;
    const auto values = aligned_floats(size_t(blocks * taps * kBlock));
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t first = std::max<int64_t>(std::min(block * kBlock, channels - kBlock), 0);
        for (int64_t c = first; c < std::min(first + kBlock, channels); c++)
            for (int64_t tap = 0; tap < taps; tap++)
                values[(block * taps + tap) * kBlock + c - first] = weight[c * taps + tap];
    }
    return {channels, kernel, values};
}

Depthwise::Depthwise(const Shape &shape, const float *weight)
    : Depthwise(shape, pack_depthwise(weight, shape.channels, shape.kernel)) {}

Depthwise::Depthwise(const Shape &shape, DepthwiseWeight weight)
    : shape_(shape), weight_(std::move(weight)) {
    const auto out = [&](size_t side, int64_t size) {
        return out_size(size, shape.kernel[side], shape.stride[side], shape.dilation[side],
                        shape.padding[side], shape.padding[side + 2]);
    };
    out_height_ = out(0, shape.height);
    out_width_ = out(1, shape.width);
}

int64_t Depthwise::scratch_floats(bool with_sums) const {
    return with_sums ? shape_.batch * most_bands() * shape_.channels : 0;
}

int64_t Depthwise::most_bands() const {
    return std::min(out_height_, depthwise::kMostBands);
}

int64_t Depthwise::unit() const {
    const int64_t most =
        out_width_ <= depthwise::kShortRow ? depthwise::kMostUnit : depthwise::kUnitOfLongRows;
    int64_t count = (shape_.channels + most - 1) / most;
    // Equally many for all threads, where they are few.
    if (most > depthwise::kUnitOfLongRows)
        count = (count + team_size() - 1) / team_size() * team_size();
    const int64_t unit = (shape_.channels + count - 1) / count;
    return (unit + kBlock - 1) / kBlock * kBlock;
}

int64_t Depthwise::bands(int64_t unit) const {
    // Of input and result together.
    const int64_t row = shape_.channels * (shape_.stride[0] * shape_.width + out_width_);
    int64_t bands = (out_height_ * row + kHalfCacheFloats - 1) / kHalfCacheFloats;
    const int64_t team = team_size();
    const int64_t others = shape_.batch * ((shape_.channels + unit - 1) / unit);
    if (team > 1)
        bands = std::max(bands, (depthwise::kPartsOfThread * team + others - 1) / others);
    return std::clamp<int64_t>(bands, 1, most_bands());
}

void Depthwise::run(Image<const float> x, Image<float> y, const Epilogue &epilogue, float *scratch,
                    float *channel_sums) const {
    const int64_t channels = unit();
    const depthwise::Job job{shape_,
                             x,
                             y,
                             epilogue,
                             weight_.values.get(),
                             bands(channels),
                             channels,
                             channel_sums ? scratch : nullptr};
    HWY_DYNAMIC_DISPATCH(run_depthwise)(job, channel_sums);
}

} // namespace tvw::cpu
#endif
