// SPDX-License-Identifier: LGPL-2.1-or-later
// Shape rules of every operation; they are PyTorch's.
#include "graph/graph.h"

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
        need_count(in, 2, 3);
        const Shape &x = need_rank(in[0], 4, "input");
        const Shape &w = need_rank(in[1], 4, "weight");
        if (x[1] != w[1] * conv.groups)
            refuse(fmt::format("input has {} channels, weight {} in {} groups expects {}", x[1],
                               shape_text(w), conv.groups, w[1] * conv.groups));
        if (in.size() == 3)
            need_size(in[2], {w[0]}, "bias");
        const auto &[top, left, bottom, right] = conv.padding;
        return {in[0].dtype,
                {x[0], w[0], windows(x[2], w[2], conv.stride[0], top + bottom, conv.dilation[0]),
                 windows(x[3], w[3], conv.stride[1], left + right, conv.dilation[1])}};
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
        need_count(in, 2, 3);
        const Shape &w = need_rank(in[1], 2, "weight");
        TensorType result = in[0];
        if (result.shape.empty() || result.shape.back() != w[1])
            refuse(fmt::format("input {} does not end in {}", shape_text(result.shape), w[1]));
        if (in.size() == 3)
            need_size(in[2], {w[0]}, "bias");
        result.shape.back() = w[0];
        return result;
    }
    TensorType operator()(const op::Activation & /*op*/) const { return only(); }
    TensorType operator()(const op::Identity & /*op*/) const { return only(); }
    TensorType operator()(const op::Add & /*op*/) const { return broadcast(); }
    TensorType operator()(const op::Mul & /*op*/) const { return broadcast(); }
    TensorType operator()(const op::MaxPool2d &pool) const {
        const Shape &x = need_rank(only(), 4, "input");
        return {in[0].dtype,
                {x[0], x[1], windows(x[2], pool.kernel[0], pool.stride[0], 2 * pool.padding[0], 1),
                 windows(x[3], pool.kernel[1], pool.stride[1], 2 * pool.padding[1], 1)}};
    }
    TensorType operator()(const op::AdaptiveAvgPool2d &pool) const {
        const Shape &x = need_rank(only(), 4, "input");
        return {in[0].dtype, {x[0], x[1], pool.output[0], pool.output[1]}};
    }
    TensorType operator()(const op::Flatten &flatten) const {
        const Shape &x = only().shape;
        if (flatten.start < 0 || flatten.start >= int64_t(x.size()))
            refuse(fmt::format("{} has no dimension {}", shape_text(x), flatten.start));
        Shape shape(x.begin(), x.begin() + flatten.start);
        shape.push_back(numel({x.begin() + flatten.start, x.end()}));
        return {in[0].dtype, std::move(shape)};
    }

private:
    TensorType broadcast() const {
        need_count(in, 2, 2);
        const bool swap = in[0].shape.size() < in[1].shape.size();
        TensorType result = in[swap ? 1 : 0];
        const Shape &other = in[swap ? 0 : 1].shape;
        for (size_t i = 1; i <= other.size(); ++i) {
            int64_t &size = result.shape[result.shape.size() - i];
            const int64_t second = other[other.size() - i];
            if (size != second && size != 1 && second != 1)
                refuse(fmt::format("{} and {} do not broadcast", shape_text(in[0].shape),
                                   shape_text(in[1].shape)));
            size = size == 1 ? second : size;
        }
        return result;
    }
};

} // namespace

TensorType infer_type(const Op &op, std::span<const TensorType> inputs) {
    return std::visit(Infer{inputs}, op);
}

} // namespace tvw
