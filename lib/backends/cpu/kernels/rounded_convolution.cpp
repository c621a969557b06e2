// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is rounded into a frame of zeros. Where the kernel moves by one pixel, successive
// pixels of a frame see rows of a matrix that lie equally far apart, tap by tap: the frame is
// multiplied as it is, and what the ends of its lines give is dropped. Otherwise patches are laid
// out of it first.
//
// Where a frame is small, all threads fill it and then share the tiles of the result; otherwise
// each works on bands of lines that stay in its caches.
#include "base/simd.h"

#include "backends/cpu/kernels/rounded_convolution.h"

#include "backends/cpu/parallel.h"
#include "base/half.h"

#include <algorithm>
#include <utility>

// What all targets share.
#ifndef TVW_CPU_ROUNDED_CONVOLUTION_ONCE
#define TVW_CPU_ROUNDED_CONVOLUTION_ONCE
namespace tvw::cpu {
namespace {

using Shape = Convolution::Shape;

constexpr int64_t kBlockRows = 2 * kTileRows;
constexpr int64_t kBlockColumns = 2 * kPanel;
// Half of a second-level cache of what has these instructions.
constexpr int64_t kNearValues = int64_t{256} * 1024;

constexpr int64_t quotient_up(int64_t value, int64_t divisor) {
    return (value + divisor - 1) / divisor;
}

/// Of a product whose factors are so long: whole tiles.
constexpr int64_t tile_depth_of(int64_t depth) {
    return quotient_up(depth, kTileDepth) * kTileDepth;
}

/// The input with its padding, or of it only what a kernel of 1×1 meets.
Shape framed(const Shape &shape) {
    Shape frame = shape;
    const bool padded = std::ranges::any_of(shape.padding, [](int64_t side) { return side > 0; });
    if (shape.kernel[0] * shape.kernel[1] == 1 && !padded) {
        frame.height = shape.out_height();
        frame.width = shape.out_width();
        frame.stride = {1, 1};
    } else {
        frame.height += shape.padding[0] + shape.padding[2];
        frame.width += shape.padding[1] + shape.padding[3];
        frame.padding = {0, 0, 0, 0};
    }
    return frame;
}

/// Whether rows of the left factor cannot be read in the frame.
bool needs_patches(const Shape &frame) {
    const bool many_taps = frame.kernel[0] * frame.kernel[1] > 1;
    return frame.groups > 1 || frame.stride[0] > 1 || frame.stride[1] > 1 ||
           (many_taps && frame.in_channels % kTileDepth != 0);
}

/// Values from one pixel of a frame to the next.
int64_t pixel_of(const Shape &frame) {
    if (needs_patches(frame))
        return frame.in_channels;
    const int64_t lines = quotient_up(frame.in_channels, kTileDepth); // of a cache
    // Rows of a tile that are a power of two apart would meet in few sets of a cache.
    return (lines >= 8 ? lines | 1 : lines) * kTileDepth;
}

/// One call, and how its work is cut up.
struct RoundedCall {
    Shape shape;
    Shape frame;
    Image<const float> x;
    Image<float> y;
    Epilogue epilogue;
    const float *x_scale;
    const Bfloat16 *weights;
    const Bfloat16Kernels *kernels;
    std::span<const int64_t> taps;
    Bfloat16 *frames;
    Bfloat16 *patches;

    int64_t pixel;  ///< values from one pixel of a frame to the next
    int64_t depth;  ///< of a product
    int64_t bands;  ///< of lines of an image, which have a frame each; 0: one for all images
    int64_t chunks; ///< of pixels, whose patches are laid out together; 0: none is
    int64_t patch;  ///< values from one patch to the next

    int64_t out() const { return shape.out_channels / shape.groups; }
    int64_t pixels() const { return y.batch * y.height * y.width; }
    int64_t halo() const { return (frame.kernel[0] - 1) * frame.dilation[0]; }
    /// Of a frame of so many lines, and of what is read behind it and comes to nothing.
    int64_t frame_values(int64_t lines) const {
        // In whole cache lines, which is what a row of a tile takes.
        return tile_depth_of((lines * frame.width + kTileRows) * pixel + kTileDepth);
    }
    int64_t band_values() const {
        return frame_values(bands == 0 ? frame.batch * frame.height
                                       : quotient_up(frame.out_height(), bands) + halo());
    }
    int64_t chunk_values() const {
        const int64_t all = frame.batch * frame.out_height() * frame.out_width();
        return chunks == 0 ? 0 : (quotient_up(all, chunks) + kTileRows) * patch;
    }
};

RoundedCall lay_out(const Shape &shape, int64_t threads) {
    RoundedCall call{};
    call.shape = shape;
    call.frame = framed(shape);
    call.pixel = pixel_of(call.frame);
    call.depth = tile_depth_of(shape.patch());
    if (needs_patches(call.frame)) {
        // Room for a vector beyond a patch.
        call.patch = ((quotient_up(shape.patch() - 1, kTileDepth) + 1) | 1) * kTileDepth;
        const int64_t pixels = shape.batch * shape.out_height() * shape.out_width();
        const int64_t most = std::max(kNearValues / call.patch, 4 * kBlockRows);
        call.chunks = quotient_up(quotient_up(pixels, most), threads) * threads;
    } else if (call.band_values() > kNearValues * threads) {
        const int64_t line = call.frame.width * call.pixel;
        const int64_t lines = std::max<int64_t>(kNearValues / line - call.halo(), 1);
        call.bands = quotient_up(call.frame.out_height(), lines);
    }
    return call;
}

} // namespace
} // namespace tvw::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/rounded_convolution.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/microkernel-inl.h"
#include "backends/cpu/kernels/patches-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

/// Line `number` of image n's frame.
void fill_line(const RoundedCall &call, int64_t n, int64_t number, Bfloat16 *to) {
    const Shape &s = call.shape;
    // More than one where the frame has only some of the pixels.
    const int64_t row = number * (s.stride[0] / call.frame.stride[0]) - s.padding[0];
    const int64_t step = s.stride[1] / call.frame.stride[1];
    const int64_t left = s.padding[1];
    const int64_t count = call.frame.width - left - s.padding[3];
    if (row < 0 || row >= s.height) {
        std::fill_n(to, call.frame.width * call.pixel, Bfloat16{0});
        return;
    }
    std::fill_n(to, left * call.pixel, Bfloat16{0});
    to += left * call.pixel;
    const float *scale = call.x_scale == nullptr ? nullptr : call.x_scale + n * s.in_channels;
    if (step == 1 && call.x.pixel == s.in_channels && call.pixel == s.in_channels &&
        scale == nullptr) {
        call.kernels->round(call.x.at(n, row, 0), nullptr, to, count * call.pixel);
    } else {
        for (int64_t i = 0; i < count; ++i) {
            Bfloat16 *pixel = to + i * call.pixel;
            call.kernels->round(call.x.at(n, row, i * step), scale, pixel, s.in_channels);
            std::fill(pixel + s.in_channels, pixel + call.pixel, Bfloat16{0});
        }
    }
    std::fill_n(to + count * call.pixel, s.padding[3] * call.pixel, Bfloat16{0});
}

/// Rows of the left factor and the pixels of the result that they give: those of a line follow one
/// another, `line` rows belong to each, of which the first `valid` count; so do the first
/// `valid_lines` of `lines`.
struct Rows {
    const Bfloat16 *a;
    int64_t stride;
    std::span<const int64_t> taps;
    int64_t count;
    int64_t first; ///< pixel of the result
    int64_t line;
    int64_t valid;
    int64_t lines;
    int64_t valid_lines;

    /// Calls f(row, rows, pixel) for what counts of rows [begin, end).
    template<typename F>
    HWY_INLINE void each(int64_t begin, int64_t end, const F &f) const {
        for (int64_t row = begin; row < end;) {
            const int64_t number = row / line;
            const int64_t y = number % lines;
            const int64_t next = std::min((number + 1) * line, end);
            const int64_t last = std::min(number * line + valid, next);
            if (y < valid_lines && row < last)
                f(row, last - row,
                  first + (number / lines * valid_lines + y) * valid + row - number * line);
            row = next;
        }
    }
};

/// Where results will be stored, and what is added to them, are seldom near.
inline void fetch_results(const Rest &rest) {
    constexpr int64_t kLine = 16; // floats
    for (int64_t row = 0; row < rest.rows; ++row)
        for (int64_t i = 0; i < rest.columns; i += kLine) {
            __builtin_prefetch(rest.to + row * rest.to_stride + i, 1);
            if (rest.residual != nullptr)
                __builtin_prefetch(rest.residual + row * rest.residual_stride + i);
        }
}

/// Multiplies rows by a group's weights, block by block.
class TileProduct {
public:
    TileProduct(const RoundedCall &call, int64_t group, const Rows &rows)
        : call_(call),
          rows_(rows),
          column_(group * call.out()),
          weights_(call.weights + group * panels_of(call.out()) * call.depth * kPanel),
          strips_(quotient_up(call.out(), kBlockColumns)),
          blocks_(quotient_up(rows.count, kBlockRows)),
          rows_first_(call.out() * call.depth <= kNearValues),
          finish_(finish_for(activation_number(call.epilogue.activation))) {}

    int64_t count() const { return strips_ * blocks_; }

    void run(int64_t begin, int64_t end) const {
        call_.kernels->begin();
        for (int64_t i = begin; i < end; ++i)
            rows_first_ ? multiply(i / strips_, i % strips_) : multiply(i % blocks_, i / blocks_);
        call_.kernels->end();
    }

private:
    void multiply(int64_t block, int64_t strip) const {
        alignas(64) float sums[kBlockRows * kBlockColumns];
        const int64_t begin = block * kBlockRows;
        const int64_t end = std::min(begin + kBlockRows, rows_.count);
        const int64_t column = strip * kBlockColumns;
        const auto rest_of = [&](int64_t row, int64_t rows, int64_t pixel) {
            const Epilogue part = call_.epilogue.of(pixel, column_ + column);
            return Rest{sums + (row - begin) * kBlockColumns,
                        kBlockColumns,
                        call_.y.data + pixel * call_.y.pixel + column_ + column,
                        call_.y.pixel,
                        rows,
                        std::min(call_.out() - column, kBlockColumns),
                        part.bias,
                        part.residual,
                        part.residual_pixel};
        };
        rows_.each(begin, end, [&](int64_t row, int64_t rows, int64_t pixel) {
            fetch_results(rest_of(row, rows, pixel));
        });
        TileBlock tiles{};
        tiles.a = rows_.a + begin * rows_.stride;
        tiles.a_stride = rows_.stride;
        tiles.taps = rows_.taps;
        tiles.tap_depth = call_.depth / int64_t(rows_.taps.size());
        tiles.b = weights_ + column * call_.depth;
        tiles.panel = call_.depth * kPanel;
        tiles.row_tiles = end - begin > kTileRows ? 2 : 1;
        tiles.panels = call_.out() - column > kPanel ? 2 : 1;
        tiles.c = sums;
        fetch_weights(tiles, block);
        call_.kernels->multiply(tiles);
        rows_.each(begin, end, [&](int64_t row, int64_t rows, int64_t pixel) {
            finish_(rest_of(row, rows, pixel));
        });
    }

    /// Weights that are read once for few rows come from afar, and processors do not fetch ahead
    /// beyond a page.
    void fetch_weights(TileBlock &tiles, int64_t block) const {
        constexpr int64_t kStep = kTileDepth * kPanel;
        constexpr int64_t kAhead = 8 * kStep;
        constexpr int64_t kFewBlocks = 16;
        const int64_t strip = call_.depth * kBlockColumns;
        if (blocks_ == 1) {
            tiles.next = tiles.b + kAhead;
            tiles.next_step = kStep;
        } else if (!rows_first_ && blocks_ <= kFewBlocks && strip <= kNearValues / 2) {
            tiles.next = tiles.b + strip + block * (tiles.panel / blocks_);
            tiles.next_step = kStep / blocks_;
        }
    }

    const RoundedCall &call_;
    Rows rows_;
    int64_t column_; ///< of the result, the group's first
    const Bfloat16 *weights_;
    int64_t strips_; ///< of columns
    int64_t blocks_; ///< of rows
    /// Whether all columns of some rows come first, as is best where the weights stay near.
    bool rows_first_;
    Finish finish_;
};

/// A frame's rows up to the last that counts.
Rows rows_of_frame(const RoundedCall &call, const Bfloat16 *frame, int64_t images, int64_t lines,
                   int64_t valid_lines, int64_t first) {
    const int64_t valid = call.frame.out_width();
    const int64_t last = (images - 1) * lines + valid_lines - 1;
    return {frame, call.pixel, call.taps,  last * call.frame.width + valid, first, call.frame.width,
            valid, lines,      valid_lines};
}

void fill_frames(const RoundedCall &call) {
    const int64_t height = call.frame.height;
    const int64_t line = call.frame.width * call.pixel;
    parallel(call.x.batch * height, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            fill_line(call, i / height, i % height, call.frames + i * line);
    });
}

void multiply_frames(const RoundedCall &call) {
    fill_frames(call);
    const TileProduct product(call, 0,
                              rows_of_frame(call, call.frames, call.x.batch, call.frame.height,
                                            call.frame.out_height(), 0));
    parallel(product.count(), [&](int64_t begin, int64_t end) { product.run(begin, end); });
}

void multiply_bands(const RoundedCall &call) {
    parallel(call.x.batch * call.bands, [&](int64_t begin, int64_t end) {
        Bfloat16 *own = call.frames + team_member() * call.band_values();
        const int64_t height = call.y.height;
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t n = unit / call.bands;
            const int64_t top = height * (unit % call.bands) / call.bands;
            const int64_t bottom = height * (unit % call.bands + 1) / call.bands;
            for (int64_t i = 0; i < bottom - top + call.halo(); ++i)
                fill_line(call, n, top + i, own + i * call.frame.width * call.pixel);
            const TileProduct product(call, 0,
                                      rows_of_frame(call, own, 1, bottom - top, bottom - top,
                                                    (n * height + top) * call.y.width));
            product.run(0, product.count());
        }
    });
}

/// Patches of pixels [begin, end) and the zeros behind each.
void lay_out_patches(const RoundedCall &call, int64_t group, int64_t begin, int64_t end,
                     Bfloat16 *to) {
    const Shape &f = call.frame;
    const Image<const Bfloat16> frames{call.frames, f.batch,       f.height,
                                       f.width,     f.in_channels, call.pixel};
    Patches<Bfloat16>(f, frames, group).lay_out(begin, end, to, call.patch);
    for (int64_t i = begin; i < end; ++i, to += call.patch)
        std::fill(to + f.patch(), to + call.depth, Bfloat16{0});
}

void multiply_patches(const RoundedCall &call) {
    fill_frames(call);
    parallel(call.shape.groups * call.chunks, [&](int64_t begin, int64_t end) {
        Bfloat16 *own = call.patches + team_member() * call.chunk_values();
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t group = unit % call.shape.groups;
            const int64_t chunk = unit / call.shape.groups;
            const int64_t first = call.pixels() * chunk / call.chunks;
            const int64_t count = call.pixels() * (chunk + 1) / call.chunks - first;
            if (count == 0)
                continue;
            lay_out_patches(call, group, first, first + count, own);
            const TileProduct product(
                call, group, {own, call.patch, call.taps, count, first, count, count, 1, 1});
            product.run(0, product.count());
        }
    });
}

void convolve_rounded(const RoundedCall &call) {
    if (call.chunks > 0)
        multiply_patches(call);
    else
        call.bands > 0 ? multiply_bands(call) : multiply_frames(call);
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(convolve_rounded);

SharedFloats RoundedConvolution::pack(const float *weight, const Shape &shape) {
    const int64_t out = shape.out_channels / shape.groups;
    const int64_t depth = tile_depth_of(shape.patch());
    const int64_t taps = shape.kernel[0] * shape.kernel[1];
    const int64_t channels = shape.in_channels / shape.groups;
    const int64_t panel_values = depth * kPanel;
    const auto packed = aligned_floats(size_t(shape.groups * panels_of(out) * panel_values / 2));
    auto *values = reinterpret_cast<Bfloat16 *>(packed.get());
    for (int64_t o = 0; o < shape.out_channels; ++o) {
        const int64_t panel = o / out * panels_of(out) + o % out / kPanel;
        Bfloat16 *to = values + panel * panel_values + o % out % kPanel * 2;
        for (int64_t tap = 0, k = 0; tap < taps; ++tap)
            for (int64_t c = 0; c < channels; ++c, ++k)
                to[k / 2 * 2 * kPanel + k % 2] =
                    float_to_bfloat16(weight[(o * channels + c) * taps + tap]);
    }
    return packed;
}

RoundedConvolution::RoundedConvolution(const Shape &shape, SharedFloats weights,
                                       const Bfloat16Kernels &kernels)
    : shape_(shape), weights_(std::move(weights)), kernels_(&kernels) {
    const Shape frame = framed(shape);
    if (needs_patches(frame)) {
        taps_ = {0};
        return;
    }
    for (int64_t i = 0; i < frame.kernel[0]; ++i)
        for (int64_t j = 0; j < frame.kernel[1]; ++j)
            taps_.push_back((i * frame.dilation[0] * frame.width + j * frame.dilation[1]) *
                            pixel_of(frame));
}

size_t RoundedConvolution::scratch_floats(int threads) const {
    const auto floats = [&](int64_t members) {
        const RoundedCall call = lay_out(shape_, members);
        return ((call.bands > 0 ? members : 1) * call.band_values() +
                members * call.chunk_values() + 1) /
               2;
    };
    // One thread alone, where that is quicker, takes larger parts.
    return size_t(std::max(floats(threads), floats(1)));
}

void RoundedConvolution::run(const Image<const float> &x, const Image<float> &y,
                             const Epilogue &epilogue, float *scratch, const float *x_scale) const {
    RoundedCall call = lay_out(shape_, team_size());
    call.x = x;
    call.y = y;
    call.epilogue = epilogue;
    call.x_scale = x_scale;
    call.weights = reinterpret_cast<const Bfloat16 *>(weights_.get());
    call.kernels = kernels_;
    call.taps = taps_;
    call.frames = reinterpret_cast<Bfloat16 *>(scratch);
    call.patches = call.frames + call.band_values();
    HWY_DYNAMIC_DISPATCH(convolve_rounded)(call);
}

} // namespace tvw::cpu
#endif
