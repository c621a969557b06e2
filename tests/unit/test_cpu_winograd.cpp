// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"
#include "support/targets.h"

#include "backends/cpu/kernels/simd.h"

#include "backends/cpu/kernels/winograd.h"
#include "backends/cpu/parallel.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using tvw::cpu::Epilogue;
using tvw::cpu::Winograd;
using Kind = tvw::op::ActivationKind;

namespace {

constexpr float kCanary = -12345.5f;
constexpr unsigned kSeed = 20240607;

/// How far pixels lie apart beyond their channels, and what is done to the results.
struct Extra {
    int64_t x_gap, y_gap, residual_gap;
    bool bias, residual, in_place;
    std::optional<Kind> activation;
};

std::vector<float> numbers(int64_t count, std::mt19937 &random) {
    std::normal_distribution<float> normal;
    std::vector<float> numbers(static_cast<size_t>(count));
    for (float &number : numbers)
        number = normal(random);
    return numbers;
}

class Example {
public:
    Example(const Winograd::Shape &shape, const Extra &extra, std::mt19937 &random)
        : s_(shape),
          e_(extra),
          x_pixel_(shape.in_channels + extra.x_gap),
          y_pixel_(shape.out_channels + extra.y_gap),
          residual_pixel_(extra.in_place ? y_pixel_ : shape.out_channels + extra.residual_gap),
          pixels_(shape.batch * shape.out_height() * shape.out_width()) {
        // Nothing follows the last pixel: a sanitizer sees what is read beyond it.
        x_ = numbers((s_.batch * s_.height * s_.width - 1) * x_pixel_ + s_.in_channels, random);
        weight_ = numbers(s_.out_channels * s_.in_channels / s_.groups * 9, random);
        bias_ = numbers(s_.out_channels, random);
        residual_ = numbers((pixels_ - 1) * residual_pixel_ + s_.out_channels, random);
        before_.assign(size_t(pixels_ * y_pixel_), kCanary);
        if (e_.in_place)
            for (int64_t p = 0; p < pixels_; ++p)
                std::copy_n(&residual_[size_t(p * residual_pixel_)], s_.out_channels,
                            &before_[size_t(p * y_pixel_)]);
    }

    std::vector<float> run(int threads) const {
        std::vector<float> y = before_;
        Epilogue epilogue;
        epilogue.bias = e_.bias ? bias_.data() : nullptr;
        epilogue.residual = !e_.residual ? nullptr : e_.in_place ? y.data() : residual_.data();
        epilogue.residual_pixel = residual_pixel_;
        epilogue.activation = e_.activation;
        tvw::cpu::set_team_size(threads);
        const Winograd winograd(s_, weight_.data());
        const size_t count = winograd.scratch_floats(threads);
        const auto scratch = tvw::cpu::aligned_floats(count + 16);
        // What a run finds in its scratch memory must not matter.
        std::fill_n(scratch.get(), count, std::numeric_limits<float>::quiet_NaN());
        std::fill_n(scratch.get() + count, 16, kCanary);
        winograd.run(
            {x_.data(), s_.batch, s_.height, s_.width, s_.in_channels, x_pixel_},
            {y.data(), s_.batch, s_.out_height(), s_.out_width(), s_.out_channels, y_pixel_},
            epilogue, scratch.get());
        for (size_t i = 0; i < 16; ++i)
            ck_assert_msg(scratch[count + i] == kCanary, "%s: wrote beyond the scratch memory",
                          text().c_str());
        return y;
    }

    void check(const std::vector<float> &y) const {
        std::vector<double> expected;
        double largest = 0;
        for (int64_t p = 0; p < pixels_; ++p) {
            for (int64_t o = 0; o < s_.out_channels; ++o) {
                expected.push_back(sum_at(p, o));
                largest = std::max(largest, std::fabs(expected.back()));
            }
        }
        for (int64_t p = 0; p < pixels_; ++p) {
            for (int64_t o = 0; o < y_pixel_; ++o) {
                const auto actual = double(y[size_t(p * y_pixel_ + o)]);
                if (o >= s_.out_channels) {
                    ck_assert_msg(actual == double(kCanary), "%s: wrote beyond pixel %ld",
                                  text().c_str(), long(p));
                    continue;
                }
                const double wanted = activated(expected[size_t(p * s_.out_channels + o)]);
                ck_assert_msg(std::fabs(actual - wanted) <= 3e-5 * std::max(largest, 1.0),
                              "%s: pixel %ld channel %ld is %g, expected %g", text().c_str(),
                              long(p), long(o), actual, wanted);
            }
        }
    }

    std::string text() const {
        std::string text = std::to_string(s_.batch) + "×" + std::to_string(s_.height) + "×" +
                           std::to_string(s_.width) + " " + std::to_string(s_.in_channels) + "→" +
                           std::to_string(s_.out_channels) + " padding";
        for (const int64_t padding : s_.padding)
            text += " " + std::to_string(padding);
        return text;
    }

private:
    double activated(double x) const {
        if (e_.activation == Kind::kRelu)
            return std::max(x, 0.0);
        if (e_.activation == Kind::kRelu6)
            return std::clamp(x, 0.0, 6.0);
        if (e_.activation == Kind::kSilu)
            return x / (1 + std::exp(-x));
        if (e_.activation == Kind::kHardswish)
            return x * std::clamp(x + 3, 0.0, 6.0) / 6;
        return x;
    }

    double sum_at(int64_t pixel, int64_t o) const {
        const int64_t depth = s_.in_channels / s_.groups;
        const int64_t first = o / (s_.out_channels / s_.groups) * depth;
        double sum = e_.bias ? double(bias_[size_t(o)]) : 0;
        if (e_.residual)
            sum += double(residual_[size_t(pixel * residual_pixel_ + o)]);
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
            for (int64_t c = 0; c < depth; ++c)
                sum += double(from[c]) * double(weight_[size_t((o * depth + c) * 9 + i)]);
        }
        return sum;
    }

    Winograd::Shape s_;
    Extra e_;
    int64_t x_pixel_, y_pixel_, residual_pixel_, pixels_;
    std::vector<float> x_, weight_, bias_, residual_, before_;
};

// With one, two, three and five threads the bits must be those of the first run.
void check_case(const Winograd::Shape &shape, const Extra &extra, std::mt19937 &random) {
    const Example example(shape, extra, random);
    const std::vector<float> first = example.run(1);
    example.check(first);
    for (const int threads : {1, 2, 3, 5}) {
        const std::vector<float> again = example.run(threads);
        ck_assert_msg(std::memcmp(first.data(), again.data(), first.size() * sizeof(float)) == 0,
                      "%s: other bits with %d threads", example.text().c_str(), threads);
    }
}

template<typename F>
void on_all_targets(const F &check) {
    tvw::test::for_each_target([&](const char * /*name*/) {
        std::mt19937 random(kSeed);
        check(random);
    });
}

int64_t between(int64_t least, int64_t most, std::mt19937 &random) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
}

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

Extra random_extra(std::mt19937 &random) {
    static constexpr std::optional<Kind> kKinds[] = {std::nullopt, Kind::kRelu, Kind::kRelu6,
                                                     Kind::kSilu, Kind::kHardswish};
    Extra extra{};
    extra.x_gap = between(0, 9, random);
    extra.y_gap = between(0, 9, random);
    extra.residual_gap = between(0, 9, random);
    extra.bias = between(0, 1, random) == 1;
    extra.residual = between(0, 1, random) == 1;
    extra.in_place = extra.residual && between(0, 1, random) == 1;
    extra.activation = kKinds[between(0, 4, random)];
    return extra;
}

} // namespace

START_TEST(convolutions_agree_with_the_plain_sum) {
    std::printf("seed %u\n", kSeed);
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 100; ++i) {
            const Winograd::Shape shape = random_shape(random);
            check_case(shape, random_extra(random), random);
        }
    });
}
END_TEST

START_TEST(many_tiles_are_cut_into_chunks) {
    on_all_targets([](std::mt19937 &random) {
        const Extra extra{0, 0, 0, true, false, false, Kind::kRelu};
        check_case({1, 57, 61, 33, 17, {1, 1, 1, 1}}, extra, random);
        check_case({2, 30, 30, 100, 70, {1, 1, 1, 1}}, extra, random);
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
