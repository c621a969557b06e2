// SPDX-License-Identifier: LGPL-2.1-or-later
#include "passes/row_order.h"

#include "passes/match.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace tvw {
namespace {

/// For each place of a tensor in C order the place that `index_of` tells for its indices.
template<typename IndexOf>
std::vector<int32_t> gathered(const Shape &shape, const std::vector<int32_t> &rows,
                              const IndexOf &index_of) {
    std::vector<int32_t> result(rows.size());
    Shape index(shape.size(), 0);
    for (int32_t &row : result) {
        row = rows[size_t(index_of(index))];
        for (size_t dim = shape.size(); dim-- > 0;) {
            if (++index[dim] < shape[dim])
                break;
            index[dim] = 0;
        }
    }
    return result;
}

std::vector<int64_t> strides_of(const Shape &shape) {
    std::vector<int64_t> strides(shape.size(), 1);
    for (size_t dim = shape.size(); dim-- > 1;)
        strides[dim - 1] = strides[dim] * shape[dim];
    return strides;
}

int64_t product(Shape::const_iterator begin, Shape::const_iterator end) {
    return std::accumulate(begin, end, int64_t{1}, std::multiplies<>());
}

} // namespace

RowOrder::RowOrder(Shape shape, size_t axis) : shape_(std::move(shape)), axis_(axis) {
    channels_ = std::exchange(shape_[axis_], 1);
    rows_.resize(size_t(numel(shape_)));
    std::iota(rows_.begin(), rows_.end(), 0);
}

RowOrder RowOrder::of_base(const Shape &base) {
    return {base, base.size() - 1};
}

RowOrder RowOrder::channels_first(const Shape &base) {
    RowOrder order({base[0], base[3], base[1], base[2]}, 1);
    order.steps_.push_back({op::Permute{{0, 3, 1, 2}}, order.shape_, 1});
    return order;
}

std::optional<RowOrder> RowOrder::then(const Node &node) const {
    std::optional<RowOrder> result;
    if (std::holds_alternative<op::Reshape>(node.op) ||
        std::holds_alternative<op::Flatten>(node.op))
        result = reshaped_to(node.type.shape);
    else if (const auto *permute = std::get_if<op::Permute>(&node.op))
        result = permuted_by(*permute);
    else if (const auto *roll = std::get_if<op::Roll>(&node.op))
        result = rolled_by(*roll);
    if (result)
        result->steps_.push_back({node.op, result->shape_, result->axis_});
    return result;
}

/// In C order the rows stay where they are if as much comes before the channels as did.
std::optional<RowOrder> RowOrder::reshaped_to(const Shape &shape) const {
    const auto axis = std::ptrdiff_t(axis_);
    const int64_t before = product(shape_.begin(), shape_.begin() + axis);
    for (size_t dim = 0; dim < shape.size(); ++dim) {
        if (shape[dim] != channels_ ||
            product(shape.begin(), shape.begin() + std::ptrdiff_t(dim)) != before)
            continue;
        RowOrder result = *this;
        result.shape_ = shape;
        result.shape_[dim] = 1;
        result.axis_ = dim;
        return result;
    }
    return std::nullopt;
}

RowOrder RowOrder::permuted_by(const op::Permute &permute) const {
    RowOrder result = *this;
    const std::vector<int64_t> strides = strides_of(shape_);
    std::vector<int64_t> moved;
    for (size_t i = 0; i < shape_.size(); ++i) {
        const auto from = size_t(permute.order[i]);
        result.shape_[i] = shape_[from];
        moved.push_back(strides[from]);
        if (from == axis_)
            result.axis_ = i;
    }
    result.rows_ = gathered(result.shape_, rows_, [&](const Shape &index) {
        return std::inner_product(index.begin(), index.end(), moved.begin(), int64_t{0});
    });
    return result;
}

std::optional<RowOrder> RowOrder::rolled_by(const op::Roll &roll) const {
    RowOrder result = *this;
    const std::vector<int64_t> strides = strides_of(shape_);
    for (size_t i = 0; i < roll.dims.size(); ++i) {
        const auto dim = size_t(roll.dims[i]);
        if (dim == axis_)
            return std::nullopt;
        const int64_t size = shape_[dim];
        const int64_t back = ((roll.shifts[i] % size) + size) % size;
        result.rows_ = gathered(shape_, result.rows_, [&](const Shape &index) {
            const int64_t from = (index[dim] + size - back) % size;
            return std::inner_product(index.begin(), index.end(), strides.begin(),
                                      (from - index[dim]) * strides[dim]);
        });
    }
    return result;
}

bool RowOrder::in_order() const {
    return std::is_sorted(rows_.begin(), rows_.end());
}

Shape RowOrder::shape(int64_t channels) const {
    Shape result = shape_;
    result[axis_] = channels;
    return result;
}

std::vector<int64_t> RowOrder::channels_to_end() const {
    std::vector<int64_t> order(shape_.size());
    std::iota(order.begin(), order.end(), 0);
    order.erase(order.begin() + std::ptrdiff_t(axis_));
    order.push_back(int64_t(axis_));
    return order;
}

ValueId RowOrder::apply(Graph &graph, ValueId base) const {
    const int64_t channels = graph.type(base).shape.back();
    ValueId value = base;
    if (in_order()) { // however many steps it took, two are enough
        const std::vector<int64_t> to_end = channels_to_end();
        Shape last;
        std::vector<int64_t> order(to_end.size());
        for (size_t i = 0; i < to_end.size(); ++i) {
            last.push_back(shape(channels)[size_t(to_end[i])]);
            order[size_t(to_end[i])] = int64_t(i);
        }
        return permuted(graph, reshaped(graph, base, last), order);
    }
    for (const Step &step : steps_) {
        Shape after = step.shape;
        after[step.axis] = channels;
        if (const auto *permute = std::get_if<op::Permute>(&step.op))
            value = permuted(graph, value, permute->order);
        else if (std::holds_alternative<op::Roll>(step.op))
            value = graph.add(step.op, {value});
        else
            value = reshaped(graph, value, after);
    }
    return value;
}

ValueId RowOrder::revert(Graph &graph, ValueId value, const Shape &base) const {
    return reshaped(graph, permuted(graph, value, channels_to_end()), base);
}

} // namespace tvw
