// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns a graph into steps: knows where each value lies, and moves it where a kernel needs it
// elsewhere.
#pragma once

#include "backends/cpu/arena.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/pack_cache.h"
#include "backends/cpu/placement.h"

#include <tvw/engine.h>

#include <map>

namespace tvw::cpu {

/// What a planned graph is run with.
struct Planned {
    std::vector<Step> steps;
    size_t buffers = 0;
    std::vector<View> inputs;       ///< in the order of the graph's
    std::vector<View> outputs;      ///< in the order of the graph's, in C order
    std::vector<std::string> names; ///< of the outputs
    std::map<BufferId, HostTensor> constants;
    ArenaLayout arena; ///< of the rest
};

/// An image whose channels are yet to be multiplied by `scale` [N, C, 1, 1]: whoever reads it does.
struct Scaled {
    View x;
    View scale;
};

/// A 1×1 convolution that is left to the one node that reads it.
struct Expansion {
    View x; ///< an image
    std::shared_ptr<const PackedGemm> gemm;
    HostTensor bias; ///< without bytes: none
    std::optional<op::ActivationKind> activation;
    int64_t operations;
};

class Planner {
public:
    /// Takes the bytes of constants over from the graph, which must outlive this.
    Planner(Graph &graph, PackCache &cache, int threads, Precision precision);

    const Graph &graph() const { return graph_; }
    PackCache &cache() { return cache_; }
    int threads() const { return threads_; }
    /// Whether the factors of convolutions and linear layers are rounded to bfloat16.
    bool rounds() const { return precision_ == Precision::kBf16; }

    /// The value's tensor where it is known beforehand; null otherwise.
    const HostTensor *constant(ValueId id) const;
    void set_constant(ValueId id, HostTensor tensor);
    /// Lets go of those that `last` was the last to read.
    void release_constants(ValueId last);

    /// Where a value lies.
    View view(ValueId id);
    /// The same, copied first where it does not lie so.
    View as_image(ValueId id);     ///< pixel_stride() exists
    View as_rows(ValueId id);      ///< row_stride() exists
    View as_row_major(ValueId id); ///< without gaps
    View as_dense(ValueId id);     ///< without gaps, in whichever order

    /// Where the result of a node is to be written: in its concatenation, or a new buffer with
    /// these strides, which have no gaps.
    View result(ValueId id, const std::vector<int64_t> &strides);
    View image_result(ValueId id);
    View row_major_result(ValueId id);
    /// The value is elements of another one.
    void alias(ValueId id, const View &view);
    /// Where a concatenation of image channels is written.
    View join(ValueId concat);
    /// Where the value was first written, whatever copies of it were made since.
    View place(ValueId id);
    /// The concatenation, if its parts lie side by side already.
    std::optional<View> joined_in_place(ValueId concat);
    /// Sums over all pixels of an image's channels [N, C], where what makes the image adds them up
    /// on the way.
    std::optional<View> sums(ValueId id) const;
    void set_sums(ValueId id, const View &sums) { sums_.insert_or_assign(id, sums); }
    /// Set where a product was left to those who read it; it has no view then.
    std::optional<Scaled> scaled(ValueId id) const;
    void set_scaled(ValueId id, const Scaled &scaled) { scaled_.insert_or_assign(id, scaled); }
    /// The same for a convolution.
    std::optional<Expansion> expansion(ValueId id) const;
    void set_expansion(ValueId id, Expansion expansion) {
        expansions_.insert_or_assign(id, std::move(expansion));
    }
    /// Nodes that read the value; an output of the graph counts as one, -1.
    const std::vector<ValueId> &users(ValueId id) const { return users_[size_t(id)]; }
    /// A buffer for one step or a few.
    View scratch(int64_t floats);

    /// `operations`: multiplications and additions, or a guess at what costs as much; decides how
    /// many threads the step takes.
    void add(Step step, int64_t operations);
    void copy(ValueId node, const View &from, const View &to);

    /// Nothing can be added any more.
    Planned finish();

private:
    View new_buffer(Shape shape, std::vector<int64_t> strides);
    View copied(ValueId id, std::vector<int64_t> strides);

    const Graph &graph_;
    PackCache &cache_;
    int threads_;
    Precision precision_;
    std::vector<std::optional<View>> views_; ///< by value
    std::map<ValueId, HostTensor> constants_;
    std::map<ValueId, Placement> placements_;
    std::map<ValueId, View> joined_; ///< by concatenation: where it is written
    std::map<ValueId, View> placed_; ///< what was written to its place in a concatenation
    std::map<ValueId, View> sums_;
    std::map<ValueId, Scaled> scaled_;
    std::map<ValueId, Expansion> expansions_;
    std::vector<std::vector<ValueId>> users_;
    std::vector<int64_t> sizes_; ///< of buffers, in floats
    Planned planned_;
};

} // namespace tvw::cpu
