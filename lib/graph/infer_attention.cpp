// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/infer_attention.h"

#include <tvw/error.h>

#include <fmt/format.h>

namespace tvw {
namespace {

[[noreturn]] void refuse(const std::string &why) {
    throw Error(ErrorKind::kInvalidArgument, why);
}

/// What attention is computed with, wherever its tokens lie.
struct Sizes {
    int64_t batch;
    int64_t heads;
    int64_t queries;
    int64_t keys;
    int64_t depth; ///< of a value's head
};

/// Every row once, in whole groups.
void check_rows(const op::Attention &attention, int64_t count) {
    const std::vector<int32_t> &rows = *attention.rows;
    if (int64_t(rows.size()) != count || attention.tokens < 1 || count % attention.tokens != 0)
        refuse(fmt::format("{} rows in groups of {} do not make the {} of the input", rows.size(),
                           attention.tokens, count));
    std::vector<bool> seen(rows.size());
    for (const int32_t row : rows) {
        if (row < 0 || row >= count || seen[size_t(row)])
            refuse(fmt::format("row {} is not there, or named twice", row));
        seen[size_t(row)] = true;
    }
}

Sizes sizes_of_rows(const op::Attention &attention, std::span<const TensorType> in) {
    const Shape &q = in[0].shape;
    const Shape &v = in[2].shape;
    if (q.size() != 3 || in[1].shape != q || v.size() != 3 || v[0] != q[0] || v[1] != q[1])
        refuse(fmt::format("{}, {} and {} are not queries, keys and values of the same rows",
                           shape_text(q), shape_text(in[1].shape), shape_text(v)));
    check_rows(attention, q[0]);
    return {q[0] / attention.tokens, q[1], attention.tokens, attention.tokens, v[2]};
}

Sizes sizes_of_batches(std::span<const TensorType> in) {
    const Shape &q = in[0].shape;
    const Shape &k = in[1].shape;
    const Shape &v = in[2].shape;
    if (q.size() != 4 || k.size() != 4 || v.size() != 4 || k != Shape{q[0], q[1], k[2], q[3]} ||
        v != Shape{q[0], q[1], k[2], v[3]})
        refuse(fmt::format("{}, {} and {} do not fit as queries, keys and values", shape_text(q),
                           shape_text(k), shape_text(v)));
    return {q[0], q[1], q[2], k[2], v[3]};
}

void check_term(const Shape &term, const Sizes &sizes) {
    if (term.size() != 4 || term[0] < 1 || sizes.batch % term[0] != 0 ||
        (term[1] != 1 && term[1] != sizes.heads) || term[2] != sizes.queries ||
        term[3] != sizes.keys)
        refuse(fmt::format("a term {} does not fit scores {}", shape_text(term),
                           shape_text({sizes.batch, sizes.heads, sizes.queries, sizes.keys})));
}

} // namespace

TensorType infer_attention(const op::Attention &attention, std::span<const TensorType> inputs) {
    if (inputs.size() < 3)
        refuse(fmt::format("takes queries, keys and values, got {} inputs", inputs.size()));
    if (!attention.rows && attention.tokens != 0)
        refuse("takes a number of tokens only with rows");
    const Sizes sizes =
        attention.rows ? sizes_of_rows(attention, inputs) : sizes_of_batches(inputs);
    for (const TensorType &term : inputs.subspan(3))
        check_term(term.shape, sizes);
    const int64_t width = sizes.heads * sizes.depth;
    if (attention.rows)
        return {inputs[0].dtype, {sizes.batch * sizes.queries, width}};
    return {inputs[0].dtype, {sizes.batch, sizes.queries, width}};
}

} // namespace tvw
