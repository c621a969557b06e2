// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/lower.h"

#include "backends/cpu/kernels/attention.h"
#include "graph/operations.h"

#include <array>

namespace tvw::cpu {
namespace {

constexpr size_t kMostTerms = 2;

/// How the kernel walks a value of [batch, heads, tokens, depth], or of [rows, heads, depth].
struct Walk {
    View view;
    int64_t batch;
    int64_t head;
    int64_t token;

    template<typename T>
    Tokens<T> in(const Memory &memory, const int32_t *rows) const {
        return {memory.at(view), batch, head, token, rows};
    }
};

Walk walk(Planner &planner, ValueId id) {
    View view = planner.view(id);
    if (view.strides.back() != 1)
        view = planner.as_row_major(id);
    if (view.shape.size() == 3)
        return {view, 0, view.strides[1], view.strides[0]};
    return {view, view.strides[0], view.strides[1], view.strides[2]};
}

AttentionShape shape_of(const Graph &graph, ValueId id, const op::Attention &attention) {
    const Node &node = graph.node(id);
    const Shape &q = graph.type(node.inputs[0]).shape;
    const Shape &k = graph.type(node.inputs[1]).shape;
    const Shape &v = graph.type(node.inputs[2]).shape;
    const auto scale = float(attention.scale);
    if (attention.rows)
        return {
            q[0] / attention.tokens, q[1], attention.tokens, attention.tokens, q[2], v[2], scale};
    return {q[0], q[1], q[2], k[2], q[3], v[3], scale};
}

struct Term {
    View view;
    int64_t batches;
    int64_t heads;
};

} // namespace

void lower_attention(Planner &planner, ValueId id, const op::Attention &attention) {
    const Graph &graph = planner.graph();
    const Node &node = graph.node(id);
    const size_t count = node.inputs.size() - 3;
    if (count > kMostTerms)
        return lower_aten(planner, id);
    const AttentionShape shape = shape_of(graph, id, attention);
    const Walk q = walk(planner, node.inputs[0]);
    const Walk k = walk(planner, node.inputs[1]);
    const Walk v = walk(planner, node.inputs[2]);
    std::array<Term, kMostTerms> terms{};
    std::vector<View> reads{q.view, k.view, v.view};
    for (size_t i = 0; i < count; ++i) {
        const View view = planner.as_row_major(node.inputs[i + 3]);
        terms[i] = {view, view.shape[0], view.shape[1]};
        reads.push_back(view);
    }
    const View y = planner.row_major_result(id);
    const int64_t width = shape.heads * shape.value_depth;
    const Walk out{y, shape.queries * width, shape.value_depth, width};
    const View scratch = planner.scratch(attention_scratch_floats(shape, planner.threads()));
    planner.add(
        {.node = id,
         .kernel = attention.rows ? "attention over rows" : "attention",
         .reason =
             attention.rows ? "windows are read where they lie" : "scores never leave the caches",
         .reads = std::move(reads),
         .writes = {y, scratch},
         .run =
             [=, table = attention.rows](const Memory &memory) {
                 const int32_t *rows = table ? table->data() : nullptr;
                 std::array<AttentionTerm, kMostTerms> added{};
                 for (size_t i = 0; i < count; ++i)
                     added[i] = {memory.at(terms[i].view), terms[i].batches, terms[i].heads};
                 tvw::cpu::attention(shape, q.in<const float>(memory, rows),
                                     k.in<const float>(memory, rows),
                                     v.in<const float>(memory, rows), std::span(added).first(count),
                                     out.in<float>(memory, rows), memory.at(scratch));
             }},
        flops(graph, id));
}

} // namespace tvw::cpu
