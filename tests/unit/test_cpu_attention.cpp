// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"
#include "support/targets.h"

#include "backends/cpu/kernels/attention.h"
#include "backends/cpu/parallel.h"
#include "base/simd.h"

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

using tvw::cpu::AttentionShape;
using tvw::cpu::AttentionTerm;
using tvw::cpu::Tokens;

namespace {

constexpr float kUntouched = 12345.0f;

/// One call of attention(), with everything it reads and writes.
struct Case {
    AttentionShape shape{};
    int64_t gap = 0;      // floats between a token's heads and the next token
    bool by_rows = false; // tokens scattered over the matrices
    std::vector<float> inputs[3], output;
    std::vector<int32_t> rows[2]; // of queries and results, of keys and values
    std::vector<float> term_data[2];
    std::vector<AttentionTerm> terms;

    int64_t width(int64_t depth) const { return shape.heads * depth + gap; }
    int64_t tokens(int input) const { return input == 0 ? shape.queries : shape.keys; }

    template<typename T>
    Tokens<T> view(T *data, int64_t count, int64_t depth, const std::vector<int32_t> &scatter) {
        return {data, count * width(depth), depth, width(depth),
                by_rows ? scatter.data() : nullptr};
    }
    Tokens<const float> input(int i) {
        return view<const float>(inputs[i].data(), tokens(i),
                                 i == 2 ? shape.value_depth : shape.depth, rows[i == 0 ? 0 : 1]);
    }
    Tokens<float> result() {
        return view(output.data(), shape.queries, shape.value_depth, rows[0]);
    }
};

std::vector<float> normal(std::mt19937 &random, int64_t count) {
    std::normal_distribution<float> distribution;
    std::vector<float> values(static_cast<size_t>(count));
    std::generate(values.begin(), values.end(), [&] { return distribution(random); });
    return values;
}

Case make_case(std::mt19937 &random, const AttentionShape &shape, int64_t gap, bool by_rows,
               int terms) {
    Case c;
    c.shape = shape;
    c.gap = gap;
    c.by_rows = by_rows;
    for (int i = 0; i < 3; ++i) {
        const int64_t depth = i == 2 ? shape.value_depth : shape.depth;
        c.inputs[i] = normal(random, shape.batch * c.tokens(i) * c.width(depth));
    }
    c.output.assign(size_t(shape.batch * shape.queries * c.width(shape.value_depth)), kUntouched);
    for (int i = 0; i < 2; ++i) {
        c.rows[i].resize(size_t(shape.batch * c.tokens(i)));
        std::iota(c.rows[i].begin(), c.rows[i].end(), 0);
        std::shuffle(c.rows[i].begin(), c.rows[i].end(), random);
    }
    for (int i = 0; i < terms; ++i) {
        const int64_t batches = i == 0 ? 1 : shape.batch > 2 ? 2 : shape.batch;
        const int64_t heads = i == 0 ? shape.heads : 1;
        c.term_data[i] = normal(random, batches * heads * shape.queries * shape.keys);
        if (i == 1)
            for (float &value : c.term_data[i])
                value = value > 0.5f ? -100.0f : 0.0f;
        c.terms.push_back({c.term_data[i].data(), batches, heads});
    }
    return c;
}

template<typename T>
T *token(const Tokens<T> &tokens, int64_t count, int64_t b, int64_t h, int64_t t) {
    const int64_t base = tokens.rows ? tokens.rows[b * count + t] * tokens.token
                                     : b * tokens.batch + t * tokens.token;
    return tokens.data + base + h * tokens.head;
}

/// What attention() is to leave in c.output, in double precision inside.
std::vector<float> expected_of(Case c) {
    const AttentionShape &s = c.shape;
    std::vector<double> scores(static_cast<size_t>(s.keys));
    for (int64_t unit = 0; unit < s.batch * s.heads * s.queries; ++unit) {
        const int64_t b = unit / s.queries / s.heads, h = unit / s.queries % s.heads;
        const int64_t m = unit % s.queries;
        for (int64_t n = 0; n < s.keys; ++n) {
            const float *q = token(c.input(0), s.queries, b, h, m);
            const float *k = token(c.input(1), s.keys, b, h, n);
            double score = 0;
            for (int64_t d = 0; d < s.depth; ++d)
                score += double(q[d]) * double(k[d]);
            score *= double(s.scale);
            for (const AttentionTerm &term : c.terms) {
                const int64_t matrix = b % term.batches * term.heads + (term.heads == 1 ? 0 : h);
                score += double(term.data[(matrix * s.queries + m) * s.keys + n]);
            }
            scores[size_t(n)] = score;
        }
        const double most = *std::max_element(scores.begin(), scores.end());
        double sum = 0;
        for (double &score : scores)
            sum += score = std::exp(score - most);
        for (int64_t e = 0; e < s.value_depth; ++e) {
            double mixed = 0;
            for (int64_t n = 0; n < s.keys; ++n)
                mixed += scores[size_t(n)] * double(token(c.input(2), s.keys, b, h, n)[e]);
            token(c.result(), s.queries, b, h, m)[e] = float(mixed / sum);
        }
    }
    return c.output;
}

std::vector<float> run(Case &c, int threads) {
    std::fill(c.output.begin(), c.output.end(), kUntouched);
    const int64_t floats = tvw::cpu::attention_scratch_floats(c.shape, threads);
    const auto scratch = hwy::AllocateAligned<float>(size_t(floats) + 16);
    std::fill_n(scratch.get(), floats + 16, kUntouched);
    tvw::cpu::set_team_size(threads);
    tvw::cpu::attention(c.shape, c.input(0), c.input(1), c.input(2), c.terms, c.result(),
                        scratch.get());
    for (int i = 0; i < 16; ++i)
        ck_assert(scratch[size_t(floats + i)] == kUntouched);
    return c.output;
}

void check(Case &c, float tolerance = 1e-5f) {
    const std::vector<float> expected = expected_of(c);
    const AttentionShape &s = c.shape;
    tvw::test::for_each_target([&](const char *target) {
        for (const int threads : {1, 2, 3}) {
            const std::vector<float> actual = run(c, threads);
            for (size_t i = 0; i < actual.size(); ++i)
                ck_assert_msg(
                    expected[i] == kUntouched ? actual[i] == kUntouched
                                              : std::fabs(actual[i] - expected[i]) < tolerance,
                    "%s, %d threads, B%d H%d M%d N%d D%d E%d, at %zu: %g, expected %g", target,
                    threads, int(s.batch), int(s.heads), int(s.queries), int(s.keys), int(s.depth),
                    int(s.value_depth), i, double(actual[i]), double(expected[i]));
            ck_assert(actual == run(c, threads));
        }
    });
}

} // namespace

START_TEST(attention_agrees_with_its_definition_for_any_shape) {
    const unsigned seed = std::random_device()();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    const auto up_to = [&](int64_t most) {
        return std::uniform_int_distribution<int64_t>(1, most)(random);
    };
    for (int i = 0; i < 60; ++i) {
        const AttentionShape shape{
            up_to(3), up_to(3), up_to(40), up_to(70), up_to(40), up_to(40), 0.1f * float(up_to(5))};
        Case c = make_case(random, shape, up_to(8) - 1, i % 2 == 1, i % 3);
        check(c);
    }
}
END_TEST

START_TEST(attention_agrees_with_its_definition_for_shapes_of_networks) {
    std::mt19937 random(1);
    for (const auto &[shape, by_rows, terms] :
         {std::tuple(AttentionShape{1, 2, 197, 197, 64, 64, 0.125f}, false, 0),
          std::tuple(AttentionShape{4, 3, 49, 49, 32, 32, 0.18f}, true, 2),
          std::tuple(AttentionShape{2, 2, 64, 64, 32, 32, 0.18f}, true, 1),
          std::tuple(AttentionShape{1, 1, 7, 1500, 16, 16, 0.25f}, false, 0)}) {
        Case c = make_case(random, shape, 32, by_rows, terms);
        check(c);
    }
}
END_TEST

START_TEST(scores_far_apart_choose_one_value) {
    std::mt19937 random(1);
    Case c = make_case(random, {1, 1, 9, 33, 8, 8, 100.0f}, 0, false, 0);
    check(c, 1e-4f); // scores of hundreds have few digits after the point
}
END_TEST

START_TEST(scores_of_minus_infinity_leave_values_out) {
    std::mt19937 random(1);
    Case c = make_case(random, {2, 1, 9, 33, 8, 8, 0.3f}, 0, false, 1);
    for (size_t i = 0; i < c.term_data[0].size(); ++i)
        if (i % 33 % 3 != 0)
            c.term_data[0][i] = -std::numeric_limits<float>::infinity();
    check(c);
}
END_TEST

START_TEST(nan_reaches_every_result_it_belongs_to) {
    std::mt19937 random(1);
    Case c = make_case(random, {1, 1, 9, 33, 8, 8, 0.3f}, 0, false, 0);
    c.inputs[0][size_t(4 * c.width(8))] = std::numeric_limits<float>::quiet_NaN();
    tvw::test::for_each_target([&](const char *target) {
        const std::vector<float> actual = run(c, 1);
        for (size_t i = 0; i < actual.size(); ++i)
            ck_assert_msg(std::isnan(actual[i]) == (i / 8 == 4), "%s, at %zu", target, i);
    });
}
END_TEST

int main() {
    return tvw::test::run_suite("cpu_attention",
                                {attention_agrees_with_its_definition_for_any_shape,
                                 attention_agrees_with_its_definition_for_shapes_of_networks,
                                 scores_far_apart_choose_one_value,
                                 scores_of_minus_infinity_leave_values_out,
                                 nan_reaches_every_result_it_belongs_to});
}
