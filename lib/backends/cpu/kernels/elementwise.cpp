// SPDX-License-Identifier: LGPL-2.1-or-later
// One loop over rows for all of them: the operation and the activation are types, so each pair has
// vector code of its own and nothing is chosen inside.
#include "base/simd.h"

#include "backends/cpu/kernels/elementwise.h"
#include "backends/cpu/parallel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/kernels/math-inl.h"

#ifndef TVW_CPU_KERNELS_ELEMENTWISE_ONCE
#define TVW_CPU_KERNELS_ELEMENTWISE_ONCE
namespace tvw::cpu {
namespace {

/// Up to four operands with a row stride each; 0 where the same row serves all.
struct Operands {
    Rows<const float> in[4];
    int64_t channels;
    std::optional<op::ActivationKind> kind;
    Rows<float> out;
};

enum class Operation { kNone, kAdd, kMul, kMulAdd, kMulAddAdd };

} // namespace
} // namespace tvw::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tvw::cpu {
namespace HWY_NAMESPACE {
namespace {

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

/// load(i) is the vector of operand i.
template<Operation operation, class Load>
HWY_INLINE Vector apply(const Load &load) {
    using enum Operation;
    if constexpr (operation == kAdd)
        return hn::Add(load(0), load(1));
    if constexpr (operation == kMul)
        return hn::Mul(load(0), load(1));
    if constexpr (operation == kMulAdd)
        return hn::MulAdd(load(0), load(1), load(2));
    if constexpr (operation == kMulAddAdd)
        return hn::Add(hn::MulAdd(load(0), load(1), load(2)), load(3));
    if constexpr (operation == kNone)
        return load(0);
}

struct LoadWhole {
    const float *const (&in)[4];
    int64_t at;
    HWY_INLINE Vector operator()(int i) const { return hn::LoadU(Floats(), in[i] + at); }
};

struct LoadFirst {
    const float *const (&in)[4];
    int64_t at;
    int64_t count;
    HWY_INLINE Vector operator()(int i) const { return load_first(Floats(), count, in[i] + at); }
};

template<Operation operation, class Activation>
void rows_of(const Operands &operands, int64_t begin, int64_t end, const Activation &act) {
    const Floats d;
    const auto lanes = int64_t(hn::Lanes(d));
    const int64_t channels = operands.channels;
    for (int64_t r = begin; r < end; ++r) {
        const float *in[4];
        for (int i = 0; i < 4; ++i)
            in[i] = operands.in[i].data + r * operands.in[i].stride;
        float *out = operands.out.data + r * operands.out.stride;
        int64_t c = 0;
        for (; c + lanes <= channels; c += lanes)
            hn::StoreU(act(d, apply<operation>(LoadWhole{in, c})), d, out + c);
        if (const int64_t left = channels - c; left > 0)
            store_first(d, left, act(d, apply<operation>(LoadFirst{in, c, left})), out + c);
    }
}

template<Operation operation>
void activated_rows(const Operands &operands, int64_t begin, int64_t end) {
    with_activation(operands.kind,
                    [&](auto act) HWY_ATTR { rows_of<operation>(operands, begin, end, act); });
}

void run_rows(Operation operation, const Operands &operands, int64_t begin, int64_t end) {
    switch (operation) {
    case Operation::kNone:
        return activated_rows<Operation::kNone>(operands, begin, end);
    case Operation::kAdd:
        return activated_rows<Operation::kAdd>(operands, begin, end);
    case Operation::kMul:
        return activated_rows<Operation::kMul>(operands, begin, end);
    case Operation::kMulAdd:
        return activated_rows<Operation::kMulAdd>(operands, begin, end);
    case Operation::kMulAddAdd:
        return activated_rows<Operation::kMulAddAdd>(operands, begin, end);
    }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace tvw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tvw::cpu {

HWY_EXPORT(run_rows);

namespace {

void run(Operation operation, int64_t rows, const Operands &operands) {
    const auto part = HWY_DYNAMIC_DISPATCH(run_rows);
    parallel(rows, [&](int64_t begin, int64_t end) { part(operation, operands, begin, end); });
}

/// Elements in a row: pieces that begin where cache lines do, and a shorter last one.
void run_flat(Operation operation, int64_t count, const float *a, const float *b,
              std::optional<op::ActivationKind> kind, float *y) {
    constexpr int64_t kPiece = 1024;
    const auto part = HWY_DYNAMIC_DISPATCH(run_rows);
    parallel((count + kPiece - 1) / kPiece, [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kPiece;
        const int64_t length = std::min(count, end * kPiece) - first;
        const Rows<const float> none{a, 0};
        part(operation,
             {{{a + first, 0}, {b + first, 0}, none, none}, length, kind, {y + first, 0}}, 0, 1);
    });
}

constexpr Operation operation_of(Combine how) {
    return how == Combine::kAdd ? Operation::kAdd : Operation::kMul;
}

} // namespace

void activation(int64_t count, const float *x, op::ActivationKind kind, float *y) {
    run_flat(Operation::kNone, count, x, x, kind, y);
}

void combine(Combine how, int64_t count, const float *a, const float *b,
             std::optional<op::ActivationKind> kind, float *y) {
    run_flat(operation_of(how), count, a, b, kind, y);
}

void combine(Combine how, int64_t rows, int64_t channels, Rows<const float> a, Rows<const float> b,
             std::optional<op::ActivationKind> kind, Rows<float> y) {
    run(operation_of(how), rows, {{a, b, a, a}, channels, kind, y});
}

void scale_and_shift(int64_t rows, int64_t channels, Rows<const float> x, const float *scale,
                     const float *shift, Rows<const float> residual,
                     std::optional<op::ActivationKind> kind, Rows<float> y) {
    const Rows<const float> times{scale, 0};
    const Rows<const float> plus{shift, 0};
    if (shift && residual.data)
        return run(Operation::kMulAddAdd, rows, {{x, times, plus, residual}, channels, kind, y});
    if (shift || residual.data)
        return run(Operation::kMulAdd, rows,
                   {{x, times, shift ? plus : residual, x}, channels, kind, y});
    run(Operation::kMul, rows, {{x, times, x, x}, channels, kind, y});
}

void scale_channels(int64_t batch, int64_t pixels, int64_t channels, Rows<const float> x,
                    const float *scale, Rows<float> y) {
    const auto part = HWY_DYNAMIC_DISPATCH(run_rows);
    parallel(batch * pixels, [&](int64_t begin, int64_t end) {
        while (begin < end) {
            const int64_t n = begin / pixels;
            const int64_t next = std::min(end, (n + 1) * pixels);
            const Rows<const float> times{scale + n * channels, 0};
            part(Operation::kMul, {{x, times, x, x}, channels, {}, y}, begin, next);
            begin = next;
        }
    });
}

} // namespace tvw::cpu
#endif
