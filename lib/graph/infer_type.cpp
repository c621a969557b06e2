// SPDX-License-Identifier: LGPL-2.1-or-later
// Shape rules of every operation; they are PyTorch's.
#include "graph/graph.h"
#include "graph/infer_attention.h"
#include "graph/stored.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>

namespace tvw {
namespace {

[[noreturn]] void refuse(const std::string &why) {
    throw Error(ErrorKind::kInvalidArgument, why);
}

void need_count(std::span<const TensorType> inputs, size_t least, size_t most) {
    if (inputs.size() < least || inputs.size() > most)
        refuse(fmt::format("takes {} to {} inputs, got {}", least, most, inputs.size()));
}

const Shape &need_rank(const TensorType &type, size_t rank, std::string_view what) {
    if (type.shape.size() != rank)
        refuse(
            fmt::format("{} has shape {}, expected rank {}", what, shape_text(type.shape), rank));
    return type.shape;
}

void need_size(const TensorType &type, const Shape &expected, std::string_view what) {
    if (type.shape != expected)
        refuse(fmt::format("{} has shape {}, expected {}", what, shape_text(type.shape),
                           shape_text(expected)));
}

/// Positions of a window that moves over a padded line; an error where there is none.
int64_t windows(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    const int64_t reach = dilation * (kernel - 1) + 1;
    if (size + padding < reach)
        refuse(fmt::format("an image side of {} is too small for a window of {}", size, reach));
    return (size + padding - reach) / stride + 1;
}

/// The same where the last window may reach over the end, but must start before it.
int64_t windows_ceil(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
    const int64_t count = windows(size, kernel, stride, 2 * padding + stride - 1, 1);
    return (count - 1) * stride < size + padding ? count : count - 1;
}

struct Infer {
    std::span<const TensorType> in;

    const TensorType &only() const {
        need_count(in, 1, 1);
        return in[0];
    }
    [[noreturn]] TensorType operator()(const op::Input & /*op*/) const {
        throw Error(ErrorKind::kInternal, "an input's type is given, not inferred");
    }
    TensorType operator()(const op::Constant &constant) const {
        return {constant.tensor.dtype(), constant.tensor.shape()};
    }
    TensorType operator()(const op::Conv2d &conv) const {
        need_count(in, 2, 4);
        const Shape &x = need_rank(in[0], 4, "input");
        const Shape &w = need_rank(in[1], 4, "weight");
        if (x[1] != w[1] * conv.groups)
            refuse(fmt::format("input has {} channels, weight {} in {} groups expects {}", x[1],
                               shape_text(w), conv.groups, w[1] * conv.groups));
        if (in.size() > 2)
            need_size(in[2], {w[0]}, "bias");
        const auto &[top, left, bottom, right] = conv.padding;
        return with_residual(
            {in[0].dtype,
             {x[0], w[0], windows(x[2], w[2], conv.stride[0], top + bottom, conv.dilation[0]),
              windows(x[3], w[3], conv.stride[1], left + right, conv.dilation[1])}});
    }
    TensorType operator()(const op::BatchNorm & /*op*/) const {
        need_count(in, 5, 5);
        if (in[0].shape.size() < 2)
            refuse("input " + shape_text(in[0].shape) + " has no channels");
        for (size_t i = 1; i < in.size(); ++i)
            need_size(in[i], {in[0].shape[1]}, "a parameter");
        return in[0];
    }
    TensorType operator()(const op::Linear & /*op*/) const {
        need_count(in, 2, 4);
        const Shape &w = need_rank(in[1], 2, "weight");
        TensorType result = in[0];
        if (result.shape.empty() || result.shape.back() != w[1])
            refuse(fmt::format("input {} does not end in {}", shape_text(result.shape), w[1]));
        if (in.size() > 2)
            need_size(in[2], {w[0]}, "bias");
        result.shape.back() = w[0];
        return with_residual(std::move(result));
    }
    TensorType operator()(const op::Activation & /*op*/) const { return only(); }
    TensorType operator()(const op::Identity & /*op*/) const { return only(); }
    TensorType operator()(const op::Add & /*op*/) const { return broadcast(); }
    TensorType operator()(const op::Mul & /*op*/) const { return broadcast(); }
    TensorType operator()(const op::MaxPool2d &pool) const {
        if (!pool.ceil_mode)
            return pooled(pool);
        const Shape &x = need_rank(only(), 4, "input");
        return {in[0].dtype,
                {x[0], x[1], windows_ceil(x[2], pool.kernel[0], pool.stride[0], pool.padding[0]),
                 windows_ceil(x[3], pool.kernel[1], pool.stride[1], pool.padding[1])}};
    }
    TensorType operator()(const op::AvgPool2d &pool) const { return pooled(pool); }
    TensorType operator()(const op::AdaptiveAvgPool2d &pool) const {
        const Shape &x = need_rank(only(), 4, "input");
        return {in[0].dtype, {x[0], x[1], pool.output[0], pool.output[1]}};
    }
    TensorType operator()(const op::SpatialMean & /*op*/) const {
        const Shape &x = need_rank(only(), 4, "input");
        return {in[0].dtype, {x[0], x[1]}};
    }
    TensorType operator()(const op::Flatten &flatten) const {
        const Shape &x = only().shape;
        dim_of(x, flatten.start);
        Shape shape(x.begin(), x.begin() + flatten.start);
        shape.push_back(numel({x.begin() + flatten.start, x.end()}));
        return {in[0].dtype, std::move(shape)};
    }

    TensorType operator()(const op::Reshape &reshape) const {
        if (numel(reshape.shape) != numel(only().shape))
            refuse(fmt::format("{} cannot become {}", shape_text(in[0].shape),
                               shape_text(reshape.shape)));
        return {in[0].dtype, reshape.shape};
    }
    TensorType operator()(const op::Permute &permute) const {
        const Shape &x = only().shape;
        std::vector<int64_t> sorted = permute.order;
        std::sort(sorted.begin(), sorted.end());
        TensorType result{in[0].dtype, {}};
        for (size_t i = 0; i < sorted.size(); ++i) {
            if (sorted.size() != x.size() || sorted[i] != int64_t(i))
                refuse("the order does not name every dimension of " + shape_text(x) + " once");
            result.shape.push_back(x[size_t(permute.order[i])]);
        }
        return result;
    }
    TensorType operator()(const op::Concat &concat) const {
        need_count(in, 1, 1024);
        TensorType result = in[0];
        int64_t &total = result.shape.at(dim_of(in[0].shape, concat.dim));
        for (const TensorType &next : in.subspan(1)) {
            Shape expected = in[0].shape;
            const size_t dim = dim_of(next.shape, concat.dim);
            expected[dim] = next.shape[dim];
            need_size(next, expected, "a part");
            total += next.shape[dim];
        }
        return result;
    }
    TensorType operator()(const op::Slice &slice) const {
        TensorType result = only();
        int64_t &size = result.shape[dim_of(result.shape, slice.dim)];
        if (slice.start < 0 || slice.end > size || slice.start > slice.end || slice.step < 1)
            refuse(fmt::format("{}:{} is no range of {}", slice.start, slice.end, size));
        size = (slice.end - slice.start + slice.step - 1) / slice.step;
        return result;
    }
    TensorType operator()(const op::PadEnd &pad) const {
        TensorType result = only();
        if (pad.amounts.size() != result.shape.size())
            refuse("takes one amount for each dimension of " + shape_text(result.shape));
        for (size_t i = 0; i < pad.amounts.size(); ++i)
            result.shape[i] += pad.amounts[i];
        return result;
    }
    TensorType operator()(const op::Roll &roll) const {
        dim_of(only().shape, roll.dims[0]);
        dim_of(only().shape, roll.dims[1]);
        return in[0];
    }
    TensorType operator()(const op::Gather & /*op*/) const {
        need_count(in, 2, 2);
        TensorType result = in[0];
        result.shape.at(dim_of(result.shape, 0)) = need_rank(in[1], 1, "index")[0];
        return result;
    }
    TensorType operator()(const op::LayerNorm & /*op*/) const {
        need_count(in, 3, 3);
        const Shape channels{in[0].shape.at(dim_of(in[0].shape, int64_t(in[0].shape.size()) - 1))};
        need_size(in[1], channels, "weight");
        need_size(in[2], channels, "bias");
        return in[0];
    }
    TensorType operator()(const op::Softmax & /*op*/) const { return only(); }
    TensorType operator()(const op::Normalize & /*op*/) const { return only(); }
    TensorType operator()(const op::ClampMax & /*op*/) const { return only(); }
    TensorType operator()(const op::MatMul & /*op*/) const {
        need_count(in, 2, 2);
        const Shape &a = in[0].shape;
        const Shape &b = in[1].shape;
        if (a.size() < 2 || b.size() < 2 || a.back() != b[b.size() - 2])
            refuse(fmt::format("{} and {} do not multiply", shape_text(a), shape_text(b)));
        TensorType result{in[0].dtype,
                          broadcast_shapes({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2})};
        result.shape.push_back(a[a.size() - 2]);
        result.shape.push_back(b.back());
        return result;
    }
    TensorType operator()(const op::Attention &attention) const {
        return infer_attention(attention, in);
    }

    TensorType operator()(const op::Quantize &quantize) const {
        if (only().dtype != DType::kFloat32)
            refuse(fmt::format("takes float32, got {}", dtype_name(in[0].dtype)));
        return {DType::kQUInt8, in[0].shape, quantize.to};
    }
    TensorType operator()(const op::Dequantize & /*op*/) const {
        return {DType::kFloat32, only().shape};
    }
    TensorType operator()(const op::QuantizedConv2d &conv) const {
        return layer(conv.conv, conv.to);
    }
    TensorType operator()(const op::QuantizedLinear &linear) const {
        return layer(op::Linear{}, linear.to);
    }
    TensorType operator()(const op::QuantizedAdd &add) const { return as(op::Add{}, add.to); }
    TensorType operator()(const op::QuantizedMul &mul) const { return as(op::Mul{}, mul.to); }
    TensorType operator()(const op::QuantizedConcat &concat) const {
        return as(op::Concat{concat.dim}, concat.to);
    }
    TensorType operator()(const op::QuantizedHardswish &hardswish) const {
        return as(op::Activation{}, hardswish.to);
    }

private:
    /// The shape that the operation on real numbers gives, quantized.
    template<typename Real>
    TensorType as(const Real &real, const Affine &to) const {
        return {DType::kQUInt8, (*this)(real).shape, to};
    }
    template<typename Real>
    TensorType layer(const Real &real, const Affine &to) const {
        need_count(in, 3, 3);
        if (in[1].dtype != DType::kQInt8 || in[2].dtype != DType::kFloat32)
            refuse("takes a weight of qint8 and a bias of float32");
        return as(real, to);
    }
    TensorType with_residual(TensorType result) const {
        if (in.size() > 3)
            need_size(in[3], result.shape, "residual");
        return result;
    }
    static size_t dim_of(const Shape &shape, int64_t dim) {
        if (dim < 0 || dim >= int64_t(shape.size()))
            refuse(fmt::format("{} has no dimension {}", shape_text(shape), dim));
        return size_t(dim);
    }
    template<typename Pool>
    TensorType pooled(const Pool &pool) const {
        const Shape &x = need_rank(only(), 4, "input");
        return {in[0].dtype,
                {x[0], x[1], windows(x[2], pool.kernel[0], pool.stride[0], 2 * pool.padding[0], 1),
                 windows(x[3], pool.kernel[1], pool.stride[1], 2 * pool.padding[1], 1)}};
    }
    TensorType broadcast() const {
        need_count(in, 2, 2);
        return {in[0].dtype, broadcast_shapes(in[0].shape, in[1].shape)};
    }
    static Shape broadcast_shapes(const Shape &a, const Shape &b) {
        if (a.size() < b.size())
            return broadcast_shapes(b, a);
        Shape result = a;
        for (size_t i = 1; i <= b.size(); ++i) {
            int64_t &size = result[a.size() - i];
            const int64_t other = b[b.size() - i];
            if (size != other && size != 1 && other != 1)
                refuse(fmt::format("{} and {} do not broadcast", shape_text(a), shape_text(b)));
            size = size == 1 ? other : size;
        }
        return result;
    }
};

} // namespace

TensorType infer_type(const Op &op, std::span<const TensorType> inputs) {
    check_stored(op, inputs);
    TensorType result = std::visit(Infer{inputs}, op);
    if (const auto affine = kept_affine(op, inputs))
        result.affine = affine;
    return result;
}

} // namespace tvw
