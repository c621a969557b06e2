// SPDX-License-Identifier: LGPL-2.1-or-later
// Rows of an image: the channels of one pixel or token. What reshapes, permutations and rolls do to
// them is a permutation of the rows, as long as they leave the channels one dimension.
#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace tvw {

/// How a value holds the rows of another one, its base, whose last dimension are the channels.
class RowOrder {
public:
    /// The base itself, of this shape.
    static RowOrder of_base(const Shape &base);
    /// [N, C, H, W], of a base [N, H, W, C].
    static RowOrder channels_first(const Shape &base);

    /// The order after one more operation; none where it is no Reshape, Flatten, Permute or Roll,
    /// or does not keep the channels together.
    std::optional<RowOrder> then(const Node &node) const;

    /// Row r is row rows()[r] of the base.
    const std::vector<int32_t> &rows() const { return rows_; }
    /// Whether the rows are in the base's order, under whatever shape.
    bool in_order() const;
    /// The dimension of the channels.
    size_t axis() const { return axis_; }
    bool channels_last() const { return axis_ + 1 == shape_.size(); }
    /// The shape with as many channels.
    Shape shape(int64_t channels) const;
    /// Equal but for what led there.
    bool operator==(const RowOrder &other) const {
        return axis_ == other.axis_ && shape_ == other.shape_ && rows_ == other.rows_;
    }

    /// The value, made from its base, which may have another number of channels by now.
    ValueId apply(Graph &graph, ValueId base) const;
    /// For rows in order: the base, made from such a value.
    ValueId revert(Graph &graph, ValueId value, const Shape &base) const;

private:
    /// A reshape (its shape is what counts), permutation or roll.
    struct Step {
        Op op;
        Shape shape; ///< afterwards, with 1 for the channels
        size_t axis;
    };

    RowOrder(Shape shape, size_t axis);
    std::optional<RowOrder> reshaped_to(const Shape &shape) const;
    RowOrder permuted_by(const op::Permute &permute) const;
    std::optional<RowOrder> rolled_by(const op::Roll &roll) const;
    /// Dimensions of the value in the order of the base's.
    std::vector<int64_t> channels_to_end() const;

    Shape shape_; ///< with 1 for the channels
    size_t axis_;
    int64_t channels_ = 0; ///< while the order is made
    std::vector<int32_t> rows_;
    std::vector<Step> steps_;
};

} // namespace tvw
