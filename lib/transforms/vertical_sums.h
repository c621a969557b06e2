// SPDX-License-Identifier: LGPL-2.1-or-later
// A vertical pass over rows as they come: the sums of the outputs that they are part of.
#pragma once

#include "transforms/resample_table.h"
#include "transforms/room.h"
#include "transforms/row_kernels.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tvw {

/// A row of sums, those of the table, for each output. Only the outputs of a group, and those
/// that its last rows begin, are kept.
class VerticalSums {
public:
    /// Begins anew. `table` must stay. Outputs are read in groups of `group`, `row` sums each.
    void start(const FixedTable &table, size_t group, size_t row);

    /// Where a pair of rows is to be added: nowhere if no output needs it. To be called for one
    /// pair after another.
    void find_outputs(size_t pair, std::vector<PairSums> &outputs);

    /// Pairs that must have been added before the group from output `first` on is read.
    size_t pairs_until(size_t first) const;
    /// Below the last output it stands in for those that do not exist.
    const int16_t *row(size_t output) const;

private:
    size_t group_end(size_t first) const;
    size_t most_kept() const;
    size_t slot(size_t output) const { return output % kept_ * row_; }

    const FixedTable *table_ = nullptr;
    size_t group_ = 0;
    size_t row_ = 0;
    size_t kept_ = 0;
    size_t oldest_ = 0; ///< outputs before this one are finished
    Room<int16_t> sums_;
    std::vector<int16_t> zeros_; ///< a row of them
};

} // namespace tvw
