// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/convolutions.h"
#include "support/suite.h"

#include "backends/cpu/kernels/winograd.h"
#include "backends/cpu/parallel.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

using namespace tvw::test;
using tvw::cpu::Winograd;

namespace {

class Example {
public:
    Example(const Winograd::Shape &shape, const Extra &extra, std::mt19937 &random)
        : s_(shape),
          depth_(shape.in_channels / shape.groups),
          x_pixel_(shape.in_channels + extra.x_gap),
          pixels_(shape.batch * shape.out_height() * shape.out_width()),
          results_(pixels_, shape.out_channels, extra, random),
          x_(pixels_with_gaps(shape.batch * shape.height * shape.width, shape.in_channels, x_pixel_,
                              random)),
          weight_(numbers(shape.out_channels * depth_ * 9, random,
                          1 / std::sqrt(9.0 * double(depth_)))) {}

    std::vector<float> run(int threads) const {
        std::vector<float> y = results_.before();
        tvw::cpu::set_team_size(threads);
        const Winograd winograd(s_, weight_.data());
        Scratch scratch(winograd.scratch_floats(threads));
        winograd.run({x_.data(), s_.batch, s_.height, s_.width, s_.in_channels, x_pixel_},
                     {y.data(), s_.batch, s_.out_height(), s_.out_width(), s_.out_channels,
                      results_.y_pixel()},
                     results_.epilogue(y), scratch.data());
        scratch.check(text());
        return y;
    }

    // A tile's results share their errors.
    void check(const std::vector<float> &y) const {
        std::vector<Expected> expected;
        double largest = 1;
        for (int64_t p = 0; p < pixels_; ++p) {
            for (int64_t o = 0; o < s_.out_channels; ++o) {
                expected.push_back({sum_at(p, o), 0});
                largest = std::max(largest, std::fabs(expected.back().sum));
            }
        }
        for (Expected &each : expected)
            each.error = 3e-5 * largest;
        results_.check(y, expected, text());
    }

    std::string text() const {
        std::string text = circumstances() + std::to_string(s_.batch) + "×" +
                           std::to_string(s_.height) + "×" + std::to_string(s_.width) + " " +
                           std::to_string(s_.in_channels) + "→" + std::to_string(s_.out_channels) +
                           " groups " + std::to_string(s_.groups) + " padding";
        for (const int64_t padding : s_.padding)
            text += " " + std::to_string(padding);
        return text;
    }

private:
    double sum_at(int64_t pixel, int64_t o) const {
        const int64_t first = o / (s_.out_channels / s_.groups) * depth_;
        double sum = 0;
        const int64_t x = pixel % s_.out_width() - s_.padding[1];
        const int64_t y = pixel / s_.out_width() % s_.out_height() - s_.padding[0];
        const int64_t n = pixel / s_.out_width() / s_.out_height();
        for (int64_t i = 0; i < 9; ++i) {
            const int64_t row = y + i / 3;
            const int64_t column = x + i % 3;
            if (row < 0 || row >= s_.height || column < 0 || column >= s_.width)
                continue;
            const float *from =
                &x_[size_t(((n * s_.height + row) * s_.width + column) * x_pixel_ + first)];
            for (int64_t c = 0; c < depth_; ++c)
                sum += double(from[c]) * double(weight_[size_t((o * depth_ + c) * 9 + i)]);
        }
        return sum;
    }

    Winograd::Shape s_;
    int64_t depth_; ///< channels of the input that a result is made of
    int64_t x_pixel_, pixels_;
    Results results_;
    std::vector<float> x_, weight_;
};

Winograd::Shape random_shape(std::mt19937 &random) {
    Winograd::Shape shape{};
    shape.batch = between(1, 3, random);
    for (int64_t &padding : shape.padding)
        padding = between(0, 2, random);
    shape.height =
        between(std::max<int64_t>(1, 3 - shape.padding[0] - shape.padding[2]), 14, random);
    shape.width =
        between(std::max<int64_t>(1, 3 - shape.padding[1] - shape.padding[3]), 14, random);
    shape.in_channels = between(1, 40, random);
    shape.out_channels = between(1, 50, random);
    if (between(0, 2, random) == 0) {
        shape.groups = between(2, 4, random);
        shape.in_channels = shape.groups * between(1, 20, random);
        shape.out_channels = shape.groups * tvw::cpu::kPanel * between(1, 3, random);
    }
    return shape;
}

} // namespace

START_TEST(convolutions_agree_with_the_plain_sum) {
    std::printf("seed %u\n", kSeed);
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 100; ++i) {
            const Winograd::Shape shape = random_shape(random);
            check_example(Example(shape, random_extra(random), random));
        }
    });
}
END_TEST

START_TEST(many_tiles_are_cut_into_chunks) {
    on_all_targets([](std::mt19937 &random) {
        const Extra extra{0, 0, 0, true, false, false, tvw::op::ActivationKind::kRelu};
        check_example(Example({1, 57, 61, 33, 17, {1, 1, 1, 1}}, extra, random));
        check_example(Example({2, 30, 30, 100, 70, {1, 1, 1, 1}}, extra, random));
    });
}
END_TEST

START_TEST(shapes_share_packed_weights) {
    std::mt19937 random(kSeed);
    const std::vector<float> weight = numbers(16 * 16 * 9, random);
    const std::vector<float> x = numbers(9 * 9 * 16, random);
    const auto packed = Winograd::pack(weight.data(), 16, 16);
    for (const int64_t side : {5, 9}) {
        const Winograd::Shape shape{1, side, side, 16, 16, {1, 1, 1, 1}};
        std::vector<float> results[2];
        for (const Winograd &winograd : {Winograd(shape, packed), Winograd(shape, weight.data())}) {
            std::vector<float> &y = results[results[0].empty() ? 0 : 1];
            y.resize(size_t(side * side * 16));
            const auto scratch = tvw::cpu::aligned_floats(winograd.scratch_floats(1));
            winograd.run({x.data(), 1, side, side, 16, 16}, {y.data(), 1, side, side, 16, 16}, {},
                         scratch.get());
        }
        ck_assert(results[0] == results[1]);
    }
}
END_TEST

START_TEST(it_pays_where_tiles_are_many_and_channels_too) {
    for (const int threads : {1, 2}) {
        const auto pays = [threads](int64_t side, int64_t in, int64_t out) {
            return tvw::cpu::winograd_pays({1, side, side, in, out, {1, 1, 1, 1}}, threads);
        };
        const auto pays_in_groups = [threads](int64_t channels, int64_t groups) {
            return tvw::cpu::winograd_pays({1, 28, 28, channels, channels, {1, 1, 1, 1}, groups},
                                           threads);
        };
        ck_assert(pays_in_groups(64, 4));
        ck_assert(!pays_in_groups(64, 16));
        ck_assert(!pays_in_groups(72, 3)); // 24 each
        ck_assert(!pays(224, 3, 64));
        ck_assert(!pays(7, 512, 512));
        ck_assert(pays(55, 16, 64));
        ck_assert(pays(56, 64, 64));
        ck_assert(pays(14, 256, 256));
        ck_assert(pays(14, 512, 512));
    }
}
END_TEST

int main() {
    return tvw::test::run_suite("cpu_winograd",
                                {convolutions_agree_with_the_plain_sum,
                                 many_tiles_are_cut_into_chunks, shapes_share_packed_weights,
                                 it_pays_where_tiles_are_many_and_channels_too},
                                240);
}
