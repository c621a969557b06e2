// SPDX-License-Identifier: LGPL-2.1-or-later
// Normalisations pass over a row two or three times: it stays in the first-level cache. Sums are
// kept in four vectors, which hides the latency of additions and adds numbers of like size.
#include "base/simd.h"

#include "backends/cpu/kernels/normalize.h"
#include "backends/cpu/parallel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/normalize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {
namespace {

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

/// Σ term(x) over a row. Terms of lanes beyond the row are left out.
template<class Term>
HWY_INLINE float sum_of(const float *x, int64_t channels, const Term &term) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    Vector a = hn::Zero(d), b = a, c = a, e = a;
    int64_t i = 0;
    for (; i + 4 * lanes <= channels; i += 4 * lanes) {
        a = term(hn::LoadU(d, x + i), a);
        b = term(hn::LoadU(d, x + i + lanes), b);
        c = term(hn::LoadU(d, x + i + 2 * lanes), c);
        e = term(hn::LoadU(d, x + i + 3 * lanes), e);
    }
    for (; i + lanes <= channels; i += lanes) {
        const Vector before = a;
        a = term(hn::LoadU(d, x + i), b);
        b = before;
    }
    if (i < channels) {
        const int64_t left = channels - i;
        const Vector more = term(load_first(d, left, x + i), hn::Zero(d));
        c = hn::Add(c, hn::IfThenElseZero(hn::FirstN(d, size_t(left)), more));
    }
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

struct Itself {
    HWY_INLINE Vector operator()(Vector x, Vector sum) const { return hn::Add(sum, x); }
};

struct Square {
    HWY_INLINE Vector operator()(Vector x, Vector sum) const { return hn::MulAdd(x, x, sum); }
};

struct SquareFrom {
    Vector mean;
    HWY_INLINE Vector operator()(Vector x, Vector sum) const {
        const Vector difference = hn::Sub(x, mean);
        return hn::MulAdd(difference, difference, sum);
    }
};

void layer_norm_row(const float *x, int64_t channels, const float *weight, const float *bias,
                    float eps, float *y) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    const auto count = float(channels);
    const Vector mean = hn::Set(d, sum_of(x, channels, Itself()) / count);
    const float variance = sum_of(x, channels, SquareFrom{mean}) / count;
    const Vector factor = hn::Set(d, 1.0f / std::sqrt(variance + eps));
    const auto normalized = [&](Vector in, Vector times, Vector plus) HWY_ATTR {
        return hn::MulAdd(hn::Mul(hn::Sub(in, mean), factor), times, plus);
    };
    int64_t i = 0;
    for (; i + lanes <= channels; i += lanes) {
        const Vector times = hn::LoadU(d, weight + i);
        const Vector plus = hn::LoadU(d, bias + i);
        hn::StoreU(normalized(hn::LoadU(d, x + i), times, plus), d, y + i);
    }
    if (i < channels) {
        const int64_t left = channels - i;
        const Vector times = load_first(d, left, weight + i);
        const Vector plus = load_first(d, left, bias + i);
        store_first(d, left, normalized(load_first(d, left, x + i), times, plus), y + i);
    }
}

/// y = x · factor.
void scale_row(const float *x, int64_t channels, float factor, float *y) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    const Vector times = hn::Set(d, factor);
    int64_t i = 0;
    for (; i + lanes <= channels; i += lanes)
        hn::StoreU(hn::Mul(hn::LoadU(d, x + i), times), d, y + i);
    for (; i < channels; ++i)
        y[i] = x[i] * factor;
}

float largest_of(const float *x, int64_t channels) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    Vector largest = hn::Set(d, -std::numeric_limits<float>::infinity());
    int64_t i = 0;
    for (; i + lanes <= channels; i += lanes)
        largest = hn::Max(largest, hn::LoadU(d, x + i));
    float most = hn::GetLane(hn::MaxOfLanes(d, largest));
    for (; i < channels; ++i)
        most = std::max(most, x[i]);
    return most;
}

void softmax_row(const float *x, int64_t channels, float *y) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    const Vector largest = hn::Set(d, largest_of(x, channels));
    const auto power_of = [&](Vector in) HWY_ATTR {
        return exp2_of_small(d, hn::Mul(hn::Sub(in, largest), hn::Set(d, kLog2E)));
    };
    Vector sum = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes <= channels; i += lanes) {
        const Vector power = power_of(hn::LoadU(d, x + i));
        hn::StoreU(power, d, y + i);
        sum = hn::Add(sum, power);
    }
    if (i < channels) {
        const int64_t left = channels - i;
        const Vector power = power_of(load_first(d, left, x + i));
        store_first(d, left, power, y + i);
        sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(d, size_t(left)), power));
    }
    scale_row(y, channels, 1.0f / hn::GetLane(hn::SumOfLanes(d, sum)), y);
}

void layer_norm_rows(int64_t begin, int64_t end, int64_t channels, Rows<const float> x,
                     const float *weight, const float *bias, float eps, Rows<float> y) {
    for (int64_t r = begin; r < end; ++r)
        layer_norm_row(x.data + r * x.stride, channels, weight, bias, eps, y.data + r * y.stride);
}

void softmax_rows(int64_t begin, int64_t end, int64_t channels, Rows<const float> x,
                  Rows<float> y) {
    for (int64_t r = begin; r < end; ++r)
        softmax_row(x.data + r * x.stride, channels, y.data + r * y.stride);
}

void normalize_rows(int64_t begin, int64_t end, int64_t channels, Rows<const float> x, float eps,
                    Rows<float> y) {
    for (int64_t r = begin; r < end; ++r) {
        const float *row = x.data + r * x.stride;
        const float length = std::sqrt(sum_of(row, channels, Square()));
        // In this order a length that is NaN stays so.
        scale_row(row, channels, 1.0f / (length < eps ? eps : length), y.data + r * y.stride);
    }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(layer_norm_rows);
HWY_EXPORT(softmax_rows);
HWY_EXPORT(normalize_rows);

void layer_norm(int64_t rows, int64_t channels, Rows<const float> x, const float *weight,
                const float *bias, float eps, Rows<float> y) {
    const auto run = HWY_DYNAMIC_DISPATCH(layer_norm_rows);
    parallel(rows, [&](int64_t begin, int64_t end) {
        run(begin, end, channels, x, weight, bias, eps, y);
    });
}

void softmax(int64_t rows, int64_t channels, Rows<const float> x, Rows<float> y) {
    const auto run = HWY_DYNAMIC_DISPATCH(softmax_rows);
    parallel(rows, [&](int64_t begin, int64_t end) { run(begin, end, channels, x, y); });
}

void normalize(int64_t rows, int64_t channels, Rows<const float> x, float eps, Rows<float> y) {
    const auto run = HWY_DYNAMIC_DISPATCH(normalize_rows);
    parallel(rows, [&](int64_t begin, int64_t end) { run(begin, end, channels, x, eps, y); });
}

} // namespace tvw::cpu
#endif
