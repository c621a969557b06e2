// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes one operation of softmax(q·kᵀ·scale + terms)·v: written out, the scores of all heads go
// through memory once for each step, and they are the largest values of a transformer.
#include "passes/match.h"
#include "passes/pass.h"

#include <optional>
#include <utility>
#include <vector>

namespace tvw {
namespace {

using Order = std::vector<int64_t>;

/// What scores are made from; `q` and `k` of the old graph, the rest of the new one.
struct Scores {
    ValueId q = -1;
    ValueId k = -1;
    double scale = 1;
    std::vector<ValueId> factors; ///< of each head's scores: [H, 1, 1]
    std::vector<ValueId> terms;   ///< [b, h, M, N]
};

class Matcher {
public:
    explicit Matcher(Rewriter &rewriter) : rewriter_(rewriter), graph_(rewriter.source()) {}

    /// The fused node for the last one of such a chain.
    std::optional<ValueId> fused(const Node &last);

private:
    template<typename Wanted>
    const Node *made_by(ValueId id) const {
        const Node &node = graph_.node(id);
        return std::holds_alternative<Wanted>(node.op) ? &node : nullptr;
    }
    const Node *permute(ValueId id, const Order &order) const {
        const Node *node = made_by<op::Permute>(id);
        return node != nullptr && std::get<op::Permute>(node->op).order == order ? node : nullptr;
    }
    const Shape &shape(ValueId id) const { return graph_.type(id).shape; }

    bool match(ValueId id, Scores &scores);
    bool match_product(const Node &matmul, Scores &scores);
    bool match_masked(const Node &reshape, Scores &scores);
    template<typename Join>
    bool match_either(const Node &node, Scores &scores, const Join &join);
    bool add_term(ValueId id, const Shape &of, Scores &scores);
    bool add_factor(ValueId id, Scores &scores);
    ValueId without_scalars(ValueId id, double &scale) const;

    Rewriter &rewriter_;
    const Graph &graph_;
};

std::optional<ValueId> Matcher::fused(const Node &last) {
    const Node *heads_last = permute(last.inputs[0], {0, 2, 1, 3});
    const Node *mixed =
        heads_last != nullptr ? made_by<op::MatMul>(heads_last->inputs[0]) : nullptr;
    const Node *softmax = mixed != nullptr ? made_by<op::Softmax>(mixed->inputs[0]) : nullptr;
    Scores scores;
    if (softmax == nullptr || !match(softmax->inputs[0], scores))
        return std::nullopt;
    const ValueId v = mixed->inputs[1];
    const Shape q_shape = shape(scores.q);
    const Shape v_shape = shape(v);
    const Shape k_shape = shape(scores.k);
    if (v_shape != Shape{q_shape[0], q_shape[1], k_shape[2], v_shape.back()} ||
        last.type.shape != Shape{q_shape[0], q_shape[2], q_shape[1] * v_shape[3]})
        return std::nullopt;

    Graph &result = rewriter_.result();
    ValueId q = rewriter_.mapped(scores.q);
    for (const ValueId factor : scores.factors)
        q = result.add(op::Mul{}, {q, factor});
    std::vector<ValueId> inputs{q, rewriter_.mapped(scores.k), rewriter_.mapped(v)};
    inputs.insert(inputs.end(), scores.terms.begin(), scores.terms.end());
    return result.add(op::Attention{scores.scale}, std::move(inputs));
}

bool Matcher::match(ValueId id, Scores &scores) {
    const Node &node = graph_.node(id);
    if (std::holds_alternative<op::MatMul>(node.op))
        return match_product(node, scores);
    if (std::holds_alternative<op::Reshape>(node.op))
        return match_masked(node, scores);
    if (std::holds_alternative<op::Add>(node.op))
        return match_either(node, scores, [&](ValueId term, Scores &s) {
            return add_term(term, node.type.shape, s);
        });
    if (std::holds_alternative<op::Mul>(node.op))
        return match_either(node, scores,
                            [&](ValueId factor, Scores &s) { return add_factor(factor, s); });
    return false;
}

/// One of the two inputs is made of scores, the other joins them.
template<typename Join>
bool Matcher::match_either(const Node &node, Scores &scores, const Join &join) {
    for (const size_t i : {0, 1}) {
        Scores tried;
        if (shape(node.inputs[i]) == node.type.shape && match(node.inputs[i], tried) &&
            join(node.inputs[1 - i], tried)) {
            scores = std::move(tried);
            return true;
        }
    }
    return false;
}

/// q·kᵀ, all of rank 4 and nothing broadcast.
bool Matcher::match_product(const Node &matmul, Scores &scores) {
    const Node *transposed = permute(matmul.inputs[1], {0, 1, 3, 2});
    if (transposed == nullptr)
        return false;
    scores.q = without_scalars(matmul.inputs[0], scores.scale);
    scores.k = without_scalars(transposed->inputs[0], scores.scale);
    const Shape &q = shape(scores.q);
    const Shape &k = shape(scores.k);
    return q.size() == 4 && k.size() == 4 && q[0] == k[0] && q[1] == k[1];
}

/// Terms that differ between the windows of an image are added with windows and images apart:
/// scores [images · w, H, M, N] are [images, w, H, M, N] meanwhile.
bool Matcher::match_masked(const Node &reshape, Scores &scores) {
    const Node *sum = made_by<op::Add>(reshape.inputs[0]);
    if (sum == nullptr)
        return false;
    for (const size_t i : {0, 1}) {
        const Node *apart = made_by<op::Reshape>(sum->inputs[i]);
        Scores tried;
        if (apart == nullptr || apart->type != sum->type || apart->type.shape.size() != 5 ||
            shape(apart->inputs[0]) != reshape.type.shape || !match(apart->inputs[0], tried))
            continue;
        const Shape &term = shape(sum->inputs[1 - i]);
        const Shape &all = sum->type.shape;
        if (term.size() != 5 || term[0] != 1 || term[1] != all[1])
            return false;
        Graph &result = rewriter_.result();
        tried.terms.push_back(reshaped(result, rewriter_.mapped(sum->inputs[1 - i]),
                                       {term[1], term[2], term[3], term[4]}));
        scores = std::move(tried);
        return term[3] == all[3] && term[4] == all[4];
    }
    return false;
}

bool Matcher::add_term(ValueId id, const Shape &of, Scores &scores) {
    Shape term = shape(id);
    if (of.size() != 4 || term.size() < 2 || term.size() > 4)
        return false;
    term.insert(term.begin(), 4 - term.size(), 1);
    if (term[2] != of[2] || term[3] != of[3])
        return false;
    scores.terms.push_back(reshaped(rewriter_.result(), rewriter_.mapped(id), term));
    return true;
}

bool Matcher::add_factor(ValueId id, Scores &scores) {
    if (!scores.terms.empty()) // it would scale them too
        return false;
    if (const auto scalar = scalar_of(graph_, id)) {
        scores.scale *= *scalar;
        return true;
    }
    const Shape &factor = shape(id);
    const size_t rank = factor.size();
    if (rank < 2 || rank > 4 || factor[rank - 1] != 1 || factor[rank - 2] != 1)
        return false;
    scores.factors.push_back(rewriter_.mapped(id));
    return true;
}

/// What is left of a value when its constant factors are taken out.
ValueId Matcher::without_scalars(ValueId id, double &scale) const {
    while (const Node *mul = made_by<op::Mul>(id)) {
        const bool first = scalar_of(graph_, mul->inputs[0]).has_value();
        const auto scalar = scalar_of(graph_, mul->inputs[first ? 0 : 1]);
        const ValueId rest = mul->inputs[first ? 1 : 0];
        if (!scalar || shape(rest) != mul->type.shape)
            break;
        scale *= *scalar;
        id = rest;
    }
    return id;
}

ValueId visit(Rewriter &rewriter, ValueId id) {
    const Node &node = rewriter.source().node(id);
    if (!std::holds_alternative<op::Reshape>(node.op))
        return Rewriter::kCopy;
    return Matcher(rewriter).fused(node).value_or(Rewriter::kCopy);
}

} // namespace

Graph fuse_attention(const Graph &graph) {
    return Rewriter(graph).run(visit);
}

} // namespace tvw
