// SPDX-License-Identifier: LGPL-2.1-or-later
// Functions of float vectors, and the activations made of them. Every one keeps NaN. Polynomials
// are minimax fits in double precision (least squares, reweighted until the errors level out),
// rounded to float; errors stand beside each.
//
// Highway's -inl headers are included once for each target, inside no namespace.
#include "base/simd.h"

#include "graph/op.h"

#include <hwy/highway.h>

#include <cstdint>
#include <optional>

#if defined(TVW_CPU_KERNELS_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TVW_CPU_KERNELS_MATH_INL_H
#undef TVW_CPU_KERNELS_MATH_INL_H
#else
#define TVW_CPU_KERNELS_MATH_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// x86's own minimum and maximum answer the second operand where one is NaN.
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && (!defined(HWY_EMU128) || HWY_TARGET != HWY_EMU128)
inline constexpr bool kSecondIfNan = true;
#else
inline constexpr bool kSecondIfNan = false;
#endif

/// max(x, least), but NaN where x is.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V at_least(D, V least, V x) {
    return kSecondIfNan ? hn::Max(least, x) : hn::IfThenElse(hn::Lt(x, least), least, x);
}

/// min(x, most), but NaN where x is.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V at_most(D, V most, V x) {
    return kSecondIfNan ? hn::Min(most, x) : hn::IfThenElse(hn::Gt(x, most), most, x);
}

/// The first `count` floats at `from`, fewer than a vector, the rest 0; reads nothing beyond them.
template<class D>
HWY_INLINE hn::Vec<D> load_first(D d, int64_t count, const float *from) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
    return hn::MaskedLoad(hn::FirstN(d, size_t(count)), d, from);
#else
    HWY_ALIGN float all[HWY_MAX_BYTES / sizeof(float)] = {};
    for (int64_t i = 0; i < count; ++i)
        all[i] = from[i];
    return hn::Load(d, all);
#endif
}

/// Stores the first `count` lanes, and touches nothing beyond them. Masked stores are slow on AVX2
/// of AMD, and without AVX are loads of what another thread may be writing.
template<class D, class V = hn::Vec<D>>
HWY_INLINE void store_first(D d, int64_t count, V x, float *to) {
    HWY_ALIGN float all[HWY_MAX_BYTES / sizeof(float)];
    hn::Store(x, d, all);
    for (int64_t i = 0; i < count; ++i)
        to[i] = all[i];
}

// x = n · ln 2 + r with |r| <= ln 2 / 2: exp(x) = 2^n · exp(r), and expm1 alike.
namespace detail {

// Adding this to a number leaves it rounded to an integer in the low bits of the sum's mantissa.
inline constexpr float kRound = 12582912.0f; // 1.5 · 2^23

template<class V>
struct Split {
    V power; ///< 2^(n + bias - 127)
    V rest;  ///< r
};

/// Needs 0 <= n + bias < 255; an exponent of 0 stands for 2^-127, which becomes 0.
template<int bias, class D, class V>
HWY_INLINE Split<V> split(D d, V x) {
    const V round = hn::Set(d, kRound + float(bias));
    const V sum = hn::MulAdd(x, hn::Set(d, 1.44269504f), round);
    const V n = hn::Sub(sum, round);
    // ln 2 in two parts, the first of few bits: its product with n is exact without FMA, too.
    const V coarse = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
    const V rest = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), coarse);
    const hn::RebindToUnsigned<D> bits;
    return {hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(bits, sum))), rest};
}

/// exp(x) for x already within [-87.3, 89].
template<class D, class V>
HWY_INLINE V exp_in_range(D d, V x) {
    const auto [power, r] = split<126>(d, x);
    // (exp(r) - 1 - r) / r², so that exp(r) is within 1.05e-7 of itself. Everything is doubled here
    // and the power halved: it is finite wherever the result is.
    V twice = hn::Set(d, 2 * 8.312501245e-3f);
    twice = hn::MulAdd(twice, r, hn::Set(d, 2 * 4.189033150e-2f));
    twice = hn::MulAdd(twice, r, hn::Set(d, 2 * 1.666711539e-1f));
    twice = hn::MulAdd(twice, r, hn::Set(d, 2 * 4.999923031e-1f));
    twice = hn::MulAdd(twice, r, hn::Set(d, 2.0f));
    twice = hn::MulAdd(twice, r, hn::Set(d, 2.0f));
    return hn::Mul(power, twice);
}

inline constexpr float kLeastExp = -87.3f; // exp() of this is 0

} // namespace detail

/// e^x to 2e-7 of itself; 0 below -86.98 (where e^x < 1.7e-38), inf above 88.72.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V exp(D d, V x) {
    x = at_least(d, hn::Set(d, detail::kLeastExp), x);
    return detail::exp_in_range(d, at_most(d, hn::Set(d, 89.0f), x));
}

// Where an error that grows with |x| does no harm, powers of two are cheaper: their split is exact.
namespace detail {

/// 2^n · 2^f for sum = kRound + 127 + n, -127 <= n <= 128, and |f| <= 1/2; to 1.5e-7 of itself;
/// 0 for n = -127, inf for 128.
template<class D, class V>
HWY_INLINE V power_of_two(D d, V sum, V f) {
    // Halves of the polynomial side by side: a chain of five would outlast what waits behind it.
    // Three pairs side by side: the processor looks ahead over few vectors, and waits for a chain.
    const V square = hn::Mul(f, f);
    const V low = hn::MulAdd(f, hn::Set(d, 6.931469764e-1f), hn::Set(d, 1.0f));
    const V middle = hn::MulAdd(f, hn::Set(d, 5.550735031e-2f), hn::Set(d, 2.402224046e-1f));
    const V high = hn::MulAdd(f, hn::Set(d, 1.326459084e-3f), hn::Set(d, 9.671618998e-3f));
    const V fraction = hn::MulAdd(hn::MulAdd(high, square, middle), square, low);
    const hn::RebindToUnsigned<D> bits;
    const V power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(bits, sum)));
    return hn::Mul(power, fraction);
}

} // namespace detail

inline constexpr float kLog2E = 1.44269504f;

/// 2^x for x <= 127, to 1.5e-7 of itself; 0 below -126.5. A softmax of scores times kLog2E.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V exp2_of_small(D d, V x) {
    x = at_least(d, hn::Set(d, -127.0f), x);
    const V round = hn::Set(d, detail::kRound + 127);
    const V sum = hn::Add(x, round);
    return detail::power_of_two(d, sum, hn::Sub(x, hn::Sub(sum, round)));
}

/// 1 + e^-x; inf from x = -88.3 down.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V one_plus_exp_of_minus(D d, V x) {
    x = at_most(d, hn::Set(d, 88.0f), at_least(d, hn::Set(d, -88.7f), x));
    const V round = hn::Set(d, detail::kRound + 127);
    const V sum = hn::NegMulAdd(x, hn::Set(d, kLog2E), round);
    const V f = hn::NegMulAdd(x, hn::Set(d, kLog2E), hn::Sub(round, sum));
    return hn::Add(hn::Set(d, 1.0f), detail::power_of_two(d, sum, f));
}

/// 1 / (1 + e^-x), to 4e-7 + 4e-8 · |x| of itself; 0 below -88.3.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
    return hn::Div(hn::Set(d, 1.0f), one_plus_exp_of_minus(d, x));
}

/// To 4e-7 of itself.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V tanh(D d, V x) {
    // With e = expm1(-2|x|), tanh |x| = -e / (2 + e), exact to the last bits near 0 as well.
    V minus = hn::Mul(hn::Abs(x), hn::Set(d, -2.0f));
    minus = at_least(d, hn::Set(d, -20.0f), minus);
    const auto [power, r] = detail::split<127>(d, minus);
    // (exp(r) - 1 - r) / r², so that expm1(r) is within 1.4e-8 of itself.
    V tail = hn::Set(d, 1.388251503e-3f);
    tail = hn::MulAdd(tail, r, hn::Set(d, 8.366547208e-3f));
    tail = hn::MulAdd(tail, r, hn::Set(d, 4.166720073e-2f));
    tail = hn::MulAdd(tail, r, hn::Set(d, 1.666654342e-1f));
    tail = hn::MulAdd(tail, r, hn::Set(d, 4.999999815e-1f));
    const V low = hn::MulAdd(hn::Mul(tail, r), r, r);
    const V e = hn::MulAdd(power, low, hn::Sub(power, hn::Set(d, 1.0f)));
    return hn::CopySign(hn::Div(e, hn::Add(hn::Set(d, 2.0f), e)), x);
}

/// x · (1 + erf(x / √2)) / 2, to 2.5e-7 of |x|; NaN for -inf, as in ATen.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V gelu(D d, V x) {
    // erf(x / √2) / 2 is x · P(x²) / Q(x²), within 4e-9 up to x² = 28. From there on the quotient
    // stays as it is and x times it soon leaves [-1/2, 1/2].
    const V s = at_most(d, hn::Set(d, 28.0f), hn::Mul(x, x));
    V p = hn::Set(d, 2.4107564948e-8f);
    p = hn::MulAdd(p, s, hn::Set(d, 6.3811657913e-6f));
    p = hn::MulAdd(p, s, hn::Set(d, 1.6002063034e-4f));
    p = hn::MulAdd(p, s, hn::Set(d, 4.6262208273e-3f));
    p = hn::MulAdd(p, s, hn::Set(d, 3.2900870630e-2f));
    p = hn::MulAdd(p, s, hn::Set(d, 3.9894225473e-1f));
    V q = hn::Set(d, 1.2389737485e-6f);
    q = hn::MulAdd(q, s, hn::Set(d, 7.1272652776e-5f));
    q = hn::MulAdd(q, s, hn::Set(d, 1.8348143508e-3f));
    q = hn::MulAdd(q, s, hn::Set(d, 2.8119777394e-2f));
    q = hn::MulAdd(q, s, hn::Set(d, 2.4913649206e-1f));
    q = hn::MulAdd(q, s, hn::Set(d, 1.0f));
    const V half = hn::Set(d, 0.5f);
    V erf = hn::Mul(x, hn::Div(p, q));
    erf = at_least(d, hn::Set(d, -0.5f), at_most(d, half, erf));
    return hn::Mul(x, hn::Add(half, erf));
}

/// The activation of x, its kind known when compiling.
template<op::ActivationKind kind, class D, class V = hn::Vec<D>>
HWY_INLINE V activate_as(D d, V x) {
    using enum op::ActivationKind;
    const V zero = hn::Zero(d);
    if constexpr (kind == kRelu)
        return at_least(d, zero, x);
    if constexpr (kind == kRelu6)
        return at_most(d, hn::Set(d, 6.0f), at_least(d, zero, x));
    if constexpr (kind == kSilu)
        return hn::Div(x, one_plus_exp_of_minus(d, x));
    if constexpr (kind == kSigmoid)
        return sigmoid(d, x);
    if constexpr (kind == kHardswish || kind == kHardsigmoid) {
        const V one = hn::Set(d, 1.0f);
        const V line = hn::MulAdd(x, hn::Set(d, 1.0f / 6.0f), hn::Set(d, 0.5f));
        const V gate = at_most(d, one, at_least(d, zero, line));
        return kind == kHardswish ? hn::Mul(x, gate) : gate;
    }
    if constexpr (kind == kGelu)
        return gelu(d, x);
    if constexpr (kind == kTanh)
        return tanh(d, x);
    if constexpr (kind == kExp)
        return exp(d, x);
}

/// What with_activation() calls its function with: activation(d, x) is the activation of x.
template<op::ActivationKind kind>
struct ActivationOf {
    static constexpr bool kNone = false;
    template<class D, class V>
    HWY_INLINE V operator()(D d, V x) const {
        return activate_as<kind>(d, x);
    }
};

struct NoActivation {
    static constexpr bool kNone = true;
    template<class D, class V>
    HWY_INLINE V operator()(D, V x) const {
        return x;
    }
};

/// Calls f(ActivationOf<kind>()) or f(NoActivation()): chooses once, before the loops. What f does
/// with vectors belongs in an ordinary function template that f passes its argument to.
template<class F>
HWY_INLINE void with_activation(std::optional<op::ActivationKind> kind, const F &f) {
    using enum op::ActivationKind;
    if (!kind)
        return f(NoActivation());
    switch (*kind) {
    case kRelu:
        return f(ActivationOf<kRelu>());
    case kRelu6:
        return f(ActivationOf<kRelu6>());
    case kSilu:
        return f(ActivationOf<kSilu>());
    case kSigmoid:
        return f(ActivationOf<kSigmoid>());
    case kHardswish:
        return f(ActivationOf<kHardswish>());
    case kHardsigmoid:
        return f(ActivationOf<kHardsigmoid>());
    case kGelu:
        return f(ActivationOf<kGelu>());
    case kTanh:
        return f(ActivationOf<kTanh>());
    case kExp:
        return f(ActivationOf<kExp>());
    }
}

/// The activation of x; x itself where there is none. Chooses at every call: not for hot loops.
template<class D, class V = hn::Vec<D>>
HWY_INLINE V activate(D d, V x, std::optional<op::ActivationKind> kind) {
    using enum op::ActivationKind;
    if (!kind)
        return x;
    switch (*kind) {
    case kRelu:
        return activate_as<kRelu>(d, x);
    case kRelu6:
        return activate_as<kRelu6>(d, x);
    case kSilu:
        return activate_as<kSilu>(d, x);
    case kSigmoid:
        return activate_as<kSigmoid>(d, x);
    case kHardswish:
        return activate_as<kHardswish>(d, x);
    case kHardsigmoid:
        return activate_as<kHardsigmoid>(d, x);
    case kGelu:
        return activate_as<kGelu>(d, x);
    case kTanh:
        return activate_as<kTanh>(d, x);
    case kExp:
        return activate_as<kExp>(d, x);
    }
    return x;
}

} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#endif // once for each target
