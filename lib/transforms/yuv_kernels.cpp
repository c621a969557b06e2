// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/simd.h"

#include "transforms/yuv_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transforms/yuv_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "transforms/chroma-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using pixel::ChromaAxis;
using pixel::SampleKind;
using pixel::YuvCoefficients;

int32_t sample(const SampleRow &row, size_t i) {
    return pixel::sample_at(row.kind, {row.data + row.offset, 0, row.step}, int(i), 0);
}

#if HWY_TARGET == HWY_SCALAR

size_t unpack_vectors(const SampleRow & /*row*/, size_t /*count*/, uint16_t * /*dst*/) {
    return 0;
}

size_t blend_vectors(const SampleRow & /*a*/, const SampleRow & /*b*/, int /*weight*/,
                     int /*offset*/, size_t /*count*/, int16_t * /*dst*/) {
    return 0;
}

void run_convert(const YuvCoefficients &k, ChromaAxis axis, const uint16_t *y, const int16_t *u,
                 const int16_t *v, size_t count, const RgbRow &dst) {
    const auto chroma = [&](const int16_t *src, size_t i) {
        const int32_t sixteenths =
            axis == ChromaAxis::kFull ? 4 * src[i] : interpolated(axis, i % 2 != 0, src + i / 2, 1);
        return sixteenths + k.chroma_offset;
    };
    for (size_t i = 0; i < count; ++i) {
        const pixel::Rgb rgb = pixel::yuv_to_rgb(k, y[i], chroma(u, i), chroma(v, i));
        dst.r[i] = rgb.r;
        dst.g[i] = rgb.g;
        dst.b[i] = rgb.b;
    }
}

#else

using Ints = hn::ScalableTag<int32_t>;
using Words = hn::Repartition<uint16_t, Ints>;
using Int = hn::Vec<Ints>;
using Word = hn::Vec<Words>;

/// Loads whole words.
HWY_INLINE Word load_words(const uint8_t *src) {
    const hn::Repartition<uint8_t, Words> bytes;
    return hn::BitCast(Words(), hn::LoadU(bytes, src));
}

/// Words that begin `offset` bytes into groups of four.
HWY_INLINE Word load_words_of_four(const uint8_t *src, int offset) {
    const hn::RepartitionToWide<Words> d;
    const Words words;
    const auto load = [&](const uint8_t *at) {
        const auto shifted = hn::ShiftRightSame(hn::BitCast(d, load_words(at)), 8 * offset);
        return hn::BitCast(Ints(), hn::And(shifted, hn::Set(d, 0xFFFF)));
    };
    const hn::Half<Words> half;
    const size_t vector = hn::Lanes(words) * sizeof(uint16_t);
    return hn::Combine(words, hn::DemoteTo(half, load(src + vector)),
                       hn::DemoteTo(half, load(src)));
}

/// Loads Lanes(Words()) samples that are `kStep` bytes apart.
template<SampleKind kKind, int kStep>
HWY_INLINE Word load_samples(const uint8_t *src, int offset) {
    const Words d;
    if constexpr (kKind == SampleKind::kByte) {
        if constexpr (kStep == 1)
            return hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, Words>(), src));
        const Word v = kStep == 2 ? hn::ShiftRightSame(load_words(src), 8 * offset)
                                  : load_words_of_four(src, offset);
        return hn::And(v, hn::Set(d, 0xFF));
    } else {
        const Word v = kStep == 2 ? load_words(src) : load_words_of_four(src, offset);
        return kKind == SampleKind::kHigh10 ? hn::ShiftRight<6>(v) : hn::And(v, hn::Set(d, 1023));
    }
}

/// Calls f(i, load) for groups of samples that together are [0, count), the last of which overlaps
/// the one before; load(row) loads those from i on. Answers how many were done: none if they are
/// too few for a vector.
template<SampleKind kKind, int kStep, class F>
size_t in_steps(size_t count, const F &f) {
    const size_t lanes = hn::Lanes(Words());
    if (count < lanes)
        return 0;
    const auto at = [&](size_t i) {
        f(i, [i](const SampleRow &row) {
            return load_samples<kKind, kStep>(row.data + i * kStep, row.offset);
        });
    };
    for (size_t i = 0; i + lanes < count; i += lanes)
        at(i);
    at(count - lanes);
    return count;
}

template<class F>
size_t in_groups(SampleKind kind, int step, size_t count, const F &f) {
    using enum SampleKind;
    if (kind == kByte)
        return step == 1   ? in_steps<kByte, 1>(count, f)
               : step == 2 ? in_steps<kByte, 2>(count, f)
                           : in_steps<kByte, 4>(count, f);
    if (kind == kHigh10)
        return step == 2 ? in_steps<kHigh10, 2>(count, f) : in_steps<kHigh10, 4>(count, f);
    return step == 2 ? in_steps<kLow10, 2>(count, f) : in_steps<kLow10, 4>(count, f);
}

size_t unpack_vectors(const SampleRow &row, size_t count, uint16_t *dst) {
    return in_groups(row.kind, row.step, count,
                     [&](size_t i, const auto &load) { hn::StoreU(load(row), Words(), dst + i); });
}

// The rows by value: what is stored cannot be taken for them.
size_t blend_vectors(SampleRow a, SampleRow b, int weight, int offset, size_t count, int16_t *dst) {
    const Words d;
    const hn::RebindToSigned<Words> result;
    const Word of_a = hn::Set(d, uint16_t(weight));
    const Word of_b = hn::Set(d, uint16_t(4 - weight));
    const Word minus = hn::Set(d, uint16_t(offset));
    return in_groups(a.kind, a.step, count, [&](size_t i, const auto &load) {
        const Word sum = hn::Add(hn::Mul(load(a), of_a), hn::Mul(load(b), of_b));
        hn::StoreU(hn::BitCast(result, hn::Sub(sum, minus)), result, dst + i);
    });
}

class Matrix {
public:
    explicit Matrix(const YuvCoefficients &k)
        : y_(hn::Set(d_, k.y)),
          r_v_(hn::Set(d_, k.r_v)),
          g_u_(hn::Set(d_, k.g_u)),
          g_v_(hn::Set(d_, k.g_v)),
          b_u_(hn::Set(d_, k.b_u)),
          constant_(hn::Set(d_, (1 << (YuvCoefficients::kFraction - 1)) - k.y_offset * k.y)) {}

    /// `u` and `v` in sixteenths, less their offset.
    HWY_INLINE Fixed<Int> operator()(Int y, Int u, Int v) const {
        const Int luma = hn::Add(hn::Mul(y, y_), constant_);
        return {hn::Add(luma, hn::Mul(v, r_v_)),
                hn::Sub(hn::Sub(luma, hn::Mul(u, g_u_)), hn::Mul(v, g_v_)),
                hn::Add(luma, hn::Mul(u, b_u_))};
    }

private:
    Ints d_;
    Int y_, r_v_, g_u_, g_v_, b_u_, constant_;
};

/// Luma has ten bits at most, so the sign is never set.
HWY_INLINE EvenAndOdd<Int> split_luma(Word words) {
    const Ints d;
    const Int both = hn::BitCast(d, words);
    return {hn::And(both, hn::Set(d, 0xFFFF)), hn::ShiftRight<16>(both)};
}

template<ChromaAxis kAxis>
HWY_INLINE EvenAndOdd<Int> interpolate_samples(const int16_t *src) {
    return interpolate<kAxis>([src](ptrdiff_t k) {
        return hn::PromoteTo(Ints(), hn::LoadU(hn::Rebind<int16_t, Ints>(), src + k));
    });
}

/// Levels of even and odd pixels, in turns.
HWY_INLINE void store_levels(Int even, Int odd, uint8_t *dst) {
    const auto levels = to_words<YuvCoefficients::kFraction>(Ints(), even, odd);
    const hn::Rebind<uint8_t, hn::Repartition<int16_t, Ints>> bytes;
    hn::StoreU(hn::DemoteTo(bytes, levels), bytes, dst);
}

template<ChromaAxis kAxis>
void convert_shared(const Matrix &matrix, const uint16_t *y, const int16_t *u, const int16_t *v,
                    size_t count, const RgbRow &dst) {
    const Ints d;
    for (size_t i = 0; i < count; i += 2 * hn::Lanes(d)) {
        const EvenAndOdd<Int> luma = split_luma(hn::LoadU(Words(), y + i));
        const EvenAndOdd<Int> us = interpolate_samples<kAxis>(u + i / 2);
        const EvenAndOdd<Int> vs = interpolate_samples<kAxis>(v + i / 2);
        const Fixed<Int> even = matrix(luma.even, us.even, vs.even);
        const Fixed<Int> odd = matrix(luma.odd, us.odd, vs.odd);
        store_levels(even.r, odd.r, dst.r + i);
        store_levels(even.g, odd.g, dst.g + i);
        store_levels(even.b, odd.b, dst.b + i);
    }
}

void convert_full(const Matrix &matrix, const uint16_t *y, const int16_t *u, const int16_t *v,
                  size_t count, const RgbRow &dst) {
    const Ints d;
    const hn::Rebind<uint8_t, Ints> bytes;
    const auto load = [&](auto tag, const auto *at) {
        return hn::PromoteTo(d, hn::LoadU(tag, at));
    };
    const hn::Rebind<int16_t, Ints> shorts;
    const auto store = [&](Int fixed, uint8_t *at) {
        const Int levels = hn::ShiftRight<YuvCoefficients::kFraction>(fixed);
        hn::StoreU(hn::DemoteTo(bytes, levels), bytes, at);
    };
    for (size_t i = 0; i < count; i += hn::Lanes(d)) {
        const Fixed<Int> rgb =
            matrix(load(hn::Rebind<uint16_t, Ints>(), y + i), hn::ShiftLeft<2>(load(shorts, u + i)),
                   hn::ShiftLeft<2>(load(shorts, v + i)));
        store(rgb.r, dst.r + i);
        store(rgb.g, dst.g + i);
        store(rgb.b, dst.b + i);
    }
}

void run_convert(const YuvCoefficients &k, ChromaAxis axis, const uint16_t *y, const int16_t *u,
                 const int16_t *v, size_t count, const RgbRow &dst) {
    const Matrix matrix(k);
    if (axis == ChromaAxis::kFull)
        convert_full(matrix, y, u, v, count, dst);
    else if (axis == ChromaAxis::kCosited)
        convert_shared<ChromaAxis::kCosited>(matrix, y, u, v, count, dst);
    else
        convert_shared<ChromaAxis::kCentered>(matrix, y, u, v, count, dst);
}

#endif

void run_unpack(const SampleRow &row, size_t count, uint16_t *dst) {
    for (size_t i = unpack_vectors(row, count, dst); i < count; ++i)
        dst[i] = uint16_t(sample(row, i));
}

void run_blend(const SampleRow &a, const SampleRow &b, int weight, int offset, size_t count,
               int16_t *dst) {
    for (size_t i = blend_vectors(a, b, weight, offset, count, dst); i < count; ++i)
        dst[i] = int16_t(weight * sample(a, i) + (4 - weight) * sample(b, i) - offset);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw {
namespace {

HWY_EXPORT(run_unpack);
HWY_EXPORT(run_blend);
HWY_EXPORT(run_convert);

} // namespace

void unpack(const SampleRow &row, size_t count, uint16_t *dst) {
    HWY_DYNAMIC_DISPATCH(run_unpack)(row, count, dst);
}

void blend_rows(const SampleRow &a, const SampleRow &b, int weight, int offset, size_t count,
                int16_t *dst) {
    HWY_DYNAMIC_DISPATCH(run_blend)(a, b, weight, offset, count, dst);
}

void convert_row(const pixel::YuvCoefficients &k, pixel::ChromaAxis axis, const uint16_t *y,
                 const int16_t *u, const int16_t *v, size_t count, const RgbRow &dst) {
    HWY_DYNAMIC_DISPATCH(run_convert)(k, axis, y, u, v, count, dst);
}

} // namespace tvw
#endif
