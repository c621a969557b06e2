// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/convolutions.h"
#include "support/suite.h"

#include "backends/cpu/kernels/convolution.h"
#include "backends/cpu/kernels/rounded_convolution.h"
#include "backends/cpu/parallel.h"
#include "base/half.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

using namespace tvw::test;
using tvw::cpu::Bfloat16;
using tvw::cpu::Bfloat16Kernels;
using tvw::cpu::Convolution;
using tvw::cpu::RoundedConvolution;
using tvw::cpu::set_team_size;
using tvw::op::ActivationKind;

namespace {

using Shape = Convolution::Shape;

constexpr Extra kPlain{0, 0, 0, true, false, false, ActivationKind::kRelu};

/// bfloat16 holds each of these, so that rounding them changes nothing.
std::vector<float> rounded(std::vector<float> values) {
    for (float &value : values)
        value = tvw::bfloat16_to_float(tvw::float_to_bfloat16(value));
    return values;
}

class Example {
public:
    /// kernels: what multiplies rounded factors; null for those that are not.
    Example(const Shape &shape, const Extra &extra, std::mt19937 &random,
            const Bfloat16Kernels *kernels = nullptr)
        : s_(shape),
          depth_(shape.in_channels / shape.groups),
          x_pixel_(shape.in_channels + extra.x_gap),
          pixels_(shape.batch * shape.out_height() * shape.out_width()),
          results_(pixels_, shape.out_channels, extra, random),
          x_(pixels_with_gaps(shape.batch * shape.height * shape.width, shape.in_channels, x_pixel_,
                              random)),
          weight_(numbers(shape.out_channels * shape.patch(), random,
                          1 / std::sqrt(double(shape.patch())))),
          kernels_(kernels) {
        if (kernels == nullptr) {
            packed_ = Convolution::pack(weight_.data(), shape);
            return;
        }
        x_ = rounded(x_);
        weight_ = rounded(weight_);
        packed_ = RoundedConvolution::pack(weight_.data(), shape);
        if (between(0, 1, random) == 1)
            for (int64_t c = 0; c < shape.batch * shape.in_channels; ++c)
                scale_.push_back(float(1 << between(0, 2, random)));
    }

    std::vector<float> run(int threads) const { return run(threads, threads); }

    /// With the scratch memory of a larger team, too.
    std::vector<float> run(int threads, int scratch_of) const {
        std::vector<float> y = results_.before();
        set_team_size(threads);
        const auto run = [&](const auto &convolution, auto... more) {
            Scratch scratch(convolution.scratch_floats(scratch_of));
            convolution.run({x_.data(), s_.batch, s_.height, s_.width, s_.in_channels, x_pixel_},
                            {y.data(), s_.batch, s_.out_height(), s_.out_width(), s_.out_channels,
                             results_.y_pixel()},
                            results_.epilogue(y), scratch.data(), more...);
            scratch.check(text());
        };
        if (kernels_ == nullptr)
            run(Convolution(s_, packed_));
        else
            run(RoundedConvolution(s_, packed_, *kernels_),
                scale_.empty() ? nullptr : scale_.data());
        return y;
    }

    void check(const std::vector<float> &y) const {
        std::vector<Expected> expected;
        for (int64_t p = 0; p < pixels_; ++p)
            for (int64_t o = 0; o < s_.out_channels; ++o)
                expected.push_back(sum_at(p, o));
        results_.check(y, expected, text());
    }

    std::string text() const {
        char text[300];
        std::snprintf(text, sizeof text,
                      "%dx%dx%d, %d to %d in %d groups, kernel %dx%d, stride %dx%d, dilation "
                      "%dx%d, padding %d %d %d %d",
                      int(s_.batch), int(s_.height), int(s_.width), int(s_.in_channels),
                      int(s_.out_channels), int(s_.groups), int(s_.kernel[0]), int(s_.kernel[1]),
                      int(s_.stride[0]), int(s_.stride[1]), int(s_.dilation[0]),
                      int(s_.dilation[1]), int(s_.padding[0]), int(s_.padding[1]),
                      int(s_.padding[2]), int(s_.padding[3]));
        return circumstances() + (kernels_ == nullptr ? "" : kernels_->name + std::string(": ")) +
               text;
    }

private:
    Expected sum_at(int64_t pixel, int64_t o) const {
        const int64_t top = pixel / s_.out_width() % s_.out_height() * s_.stride[0] - s_.padding[0];
        const int64_t left = pixel % s_.out_width() * s_.stride[1] - s_.padding[1];
        const int64_t n = pixel / s_.out_width() / s_.out_height();
        double sum = 0, size = 0;
        for (int64_t i = 0; i < s_.kernel[0]; ++i) {
            for (int64_t j = 0; j < s_.kernel[1]; ++j) {
                const int64_t y = top + i * s_.dilation[0];
                const int64_t x = left + j * s_.dilation[1];
                if (y < 0 || y >= s_.height || x < 0 || x >= s_.width)
                    continue;
                for (int64_t c = 0; c < depth_; ++c) {
                    const double product = x_at(n, y, x, o, c) * weight_at(o, c, i, j);
                    sum += product;
                    size += std::fabs(product);
                }
            }
        }
        return {sum, 1e-6 * size};
    }

    double x_at(int64_t n, int64_t y, int64_t x, int64_t o, int64_t c) const {
        const int64_t group = o / (s_.out_channels / s_.groups);
        const int64_t pixel = (n * s_.height + y) * s_.width + x;
        const int64_t channel = group * depth_ + c;
        const float scale = scale_.empty() ? 1 : scale_[size_t(n * s_.in_channels + channel)];
        return double(x_[size_t(pixel * x_pixel_ + channel)]) * double(scale);
    }

    double weight_at(int64_t o, int64_t c, int64_t i, int64_t j) const {
        return double(weight_[size_t(((o * depth_ + c) * s_.kernel[0] + i) * s_.kernel[1] + j)]);
    }

    Shape s_;
    int64_t depth_; ///< channels of the input that a result is made of
    int64_t x_pixel_, pixels_;
    Results results_;
    std::vector<float> x_, weight_;
    const Bfloat16Kernels *kernels_;
    std::vector<float> scale_; ///< of each image's channels; empty for ones
    tvw::cpu::SharedFloats packed_;
};

/// Sets height and width so that `most` results fit at the most, and one at the least.
void set_size(Shape &shape, int64_t most, std::mt19937 &random) {
    const auto size = [&](size_t side) {
        const int64_t window = shape.dilation[side] * (shape.kernel[side] - 1) + 1;
        const int64_t padding = shape.padding[side] + shape.padding[side + 2];
        // Not only sizes that the last window ends with.
        const int64_t beyond = between(0, shape.stride[side] - 1, random);
        const int64_t results = between(1, most, random);
        return std::max<int64_t>(window - padding + (results - 1) * shape.stride[side] + beyond, 1);
    };
    shape.height = size(0);
    shape.width = size(1);
}

void set_channels(Shape &shape, std::mt19937 &random) {
    shape.groups = between(0, 1, random) == 1 ? between(2, 9, random) : 1;
    const int64_t most = shape.groups == 1 ? 40 : 12;
    shape.in_channels = shape.groups * between(1, most, random);
    shape.out_channels = shape.groups * between(1, most, random);
}

Shape random_shape(std::mt19937 &random) {
    Shape shape{};
    shape.batch = between(1, 3, random);
    shape.kernel = {between(1, 5, random), between(1, 7, random)};
    shape.stride = {between(1, 3, random), between(1, 3, random)};
    shape.dilation = {between(1, 3, random), between(1, 3, random)};
    for (int64_t &padding : shape.padding)
        padding = between(0, 6, random);
    set_channels(shape, random);
    set_size(shape, 9, random);
    return shape;
}

/// What networks have: square kernels, no dilation, padding that keeps the size, or half of it.
Shape usual_shape(std::mt19937 &random) {
    const int64_t kernel = 1 + 2 * between(0, 3, random), stride = between(1, 2, random);
    const int64_t padding = kernel / 2;
    Shape shape{};
    shape.batch = between(1, 2, random);
    shape.kernel = {kernel, kernel};
    shape.stride = {stride, stride};
    shape.padding = {padding, padding, padding, padding};
    set_channels(shape, random);
    set_size(shape, 12, random);
    return shape;
}

} // namespace

START_TEST(convolutions_agree_with_the_plain_sum) {
    std::printf("seed %u\n", kSeed);
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 150; ++i)
            check_example(Example(random_shape(random), random_extra(random), random));
    });
}
END_TEST

START_TEST(neighbours_without_gaps_are_laid_out_at_once) {
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 100; ++i) {
            Extra extra = random_extra(random);
            extra.x_gap = 0;
            check_example(Example(usual_shape(random), extra, random));
        }
    });
}
END_TEST

// Products of up to three rows have kernels of their own.
START_TEST(few_results_agree_with_the_plain_sum) {
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 60; ++i) {
            Shape shape = random_shape(random);
            shape.batch = 1;
            set_size(shape, 2, random);
            check_example(Example(shape, random_extra(random), random));
        }
    });
}
END_TEST

// So many that three threads have chunks of their own, and five do not.
START_TEST(many_results_are_cut_into_chunks) {
    on_all_targets([](std::mt19937 &random) {
        for (const bool in_place : {false, true}) {
            Extra extra = kPlain;
            extra.residual = extra.in_place = in_place;
            check_example(
                Example({1, 26, 27, 150, 19, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, extra, random));
            check_example(Example({3, 29, 31, 110, 18, {3, 5}, {2, 1}, {1, 2}, {0, 4, 1, 3}, 2},
                                  extra, random));
        }
    });
}
END_TEST

START_TEST(every_group_of_one_channel_has_its_own_weights) {
    on_all_targets([](std::mt19937 &random) {
        for (const int64_t multiplier : {1, 2, 17})
            check_example(Example({2, 8, 9, 21, 21 * multiplier, {3, 3}, {1, 1}, {1, 1}, {}, 21},
                                  random_extra(random), random));
    });
}
END_TEST

START_TEST(every_activation_is_applied) {
    on_all_targets([](std::mt19937 &random) {
        for (int kind = 0; kind <= int(ActivationKind::kExp); ++kind) {
            Extra extra = kPlain;
            extra.residual = true;
            extra.activation = ActivationKind(kind);
            check_example(Example({1, 6, 7, 5, 51, {3, 2}}, extra, random));
        }
    });
}
END_TEST

// Plans lay out the scratch memory for all threads, and then may run a step on one.
START_TEST(scratch_of_a_team_is_enough_for_one_thread) {
    on_all_targets([](std::mt19937 &random) {
        const auto check = [](const Example &example) {
            for (const int team : {2, 3, 5, 16})
                example.check(example.run(1, team));
        };
        for (int i = 0; i < 40; ++i)
            check(Example(usual_shape(random), random_extra(random), random));
        check(Example({1, 26, 27, 150, 5, {3, 3}}, kPlain, random));
    });
}
END_TEST

START_TEST(a_nan_reaches_the_results_that_see_it_only) {
    on_all_targets([](std::mt19937 &random) {
        set_team_size(1);
        const Shape shape{1, 9, 9, 6, 4, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2};
        const std::vector<float> weight = numbers(4 * 27, random);
        std::vector<float> x = numbers(9 * 9 * 6, random);
        x[size_t((4 * 9 + 5) * 6 + 1)] = kUnset; // row 4, column 5, in the first group
        std::vector<float> y(9 * 9 * 4);
        const Convolution convolution(shape, Convolution::pack(weight.data(), shape));
        Scratch scratch(convolution.scratch_floats(1));
        convolution.run({x.data(), 1, 9, 9, 6, 6}, {y.data(), 1, 9, 9, 4, 4},
                        {.activation = ActivationKind::kRelu}, scratch.data());
        for (int64_t i = 0; i < int64_t(y.size()); ++i) {
            const int64_t row = i / 4 / 9, column = i / 4 % 9;
            const bool sees = std::abs(row - 4) <= 1 && std::abs(column - 5) <= 1 && i % 4 < 2;
            ck_assert_msg(std::isnan(y[size_t(i)]) == sees, "%srow %ld, column %ld, channel %ld",
                          circumstances().c_str(), long(row), long(column), long(i % 4));
        }
    });
}
END_TEST

START_TEST(shapes_share_packed_weights) {
    std::mt19937 random(kSeed);
    set_team_size(1);
    const std::vector<float> weight = numbers(20 * 7 * 9, random);
    const std::vector<float> x = numbers(2 * 9 * 9 * 7, random);
    const Shape small{1, 5, 5, 7, 20, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
    const Shape large{2, 9, 9, 7, 20, {3, 3}, {2, 2}, {2, 2}, {2, 2, 2, 2}};
    const auto result = [&](const tvw::cpu::SharedFloats &packed) {
        const Convolution convolution(large, packed);
        std::vector<float> y(size_t(2 * large.out_height() * large.out_width() * 20));
        Scratch scratch(convolution.scratch_floats(1));
        convolution.run({x.data(), 2, 9, 9, 7, 7},
                        {y.data(), 2, large.out_height(), large.out_width(), 20, 20}, {},
                        scratch.data());
        return y;
    };
    ck_assert(result(Convolution::pack(weight.data(), small)) ==
              result(Convolution::pack(weight.data(), large)));
}
END_TEST

START_TEST(rounded_convolutions_agree_with_the_plain_sum) {
    on_all_targets([](std::mt19937 &random) {
        for (const Bfloat16Kernels *kernels : tvw::cpu::bfloat16_kernels()) {
            for (int i = 0; i < 60; ++i) {
                check_example(Example(random_shape(random), random_extra(random), random, kernels));
                check_example(Example(usual_shape(random), random_extra(random), random, kernels));
            }
        }
    });
}
END_TEST

// What is multiplied where it lies, with taps and without.
START_TEST(rounded_frames_agree_with_the_plain_sum) {
    on_all_targets([](std::mt19937 &random) {
        for (const Bfloat16Kernels *kernels : tvw::cpu::bfloat16_kernels()) {
            for (int i = 0; i < 60; ++i) {
                Shape shape = random_shape(random);
                shape.groups = 1;
                shape.stride = {1, 1};
                shape.in_channels = 32 * between(1, 2, random);
                shape.out_channels = between(1, 70, random);
                set_size(shape, 12, random);
                check_example(Example(shape, random_extra(random), random, kernels));
                shape.kernel = {1, 1};
                shape.padding = {};
                shape.stride = {between(1, 3, random), between(1, 3, random)};
                shape.in_channels = between(1, 600, random);
                check_example(Example(shape, random_extra(random), random, kernels));
            }
        }
    });
}
END_TEST

// One thread cuts them into bands, five do not.
START_TEST(large_rounded_frames_are_cut_into_bands) {
    on_all_targets([](std::mt19937 &random) {
        const Bfloat16Kernels *kernels = tvw::cpu::bfloat16_kernels().front();
        for (const bool in_place : {false, true}) {
            Extra extra = kPlain;
            extra.residual = extra.in_place = in_place;
            const Example image({2, 45, 47, 96, 5, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, extra,
                                random, kernels);
            check_example(image);
            image.check(image.run(1, 5));
            check_example(Example({1, 900, 1, 600, 7, {1, 1}}, extra, random, kernels));
        }
    });
}
END_TEST

START_TEST(rounding_is_to_the_nearest) {
    std::mt19937 random(kSeed);
    std::uniform_int_distribution<uint32_t> bits(0);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (const Bfloat16Kernels *kernels : tvw::cpu::bfloat16_kernels()) {
        for (int64_t count = 0; count < 200; ++count) {
            std::vector<float> from{kInfinity, -kInfinity, kUnset, 1.00390625f, 1.01171875f, 3e38f};
            while (int64_t(from.size()) < std::max<int64_t>(count, 6))
                from.push_back(std::bit_cast<float>(bits(random)));
            std::shuffle(from.begin(), from.end(), random);
            std::vector<Bfloat16> to(size_t(count) + 1, 12345);
            const std::vector<float> twos(from.size(), 2);
            const float *scale = count % 2 == 0 ? nullptr : twos.data();
            kernels->round(from.data(), scale, to.data(), count);
            for (size_t i = 0; i < size_t(count); ++i) {
                const float value = scale == nullptr ? from[i] : from[i] * 2;
                const float expected = tvw::bfloat16_to_float(tvw::float_to_bfloat16(value));
                const float actual = tvw::bfloat16_to_float(to[i]);
                if (std::fabs(value) < std::numeric_limits<float>::min())
                    ck_assert(std::fabs(actual) <= std::numeric_limits<float>::min());
                else
                    ck_assert_msg(std::isnan(value) ? std::isnan(actual) : actual == expected,
                                  "%s: %a becomes %a", kernels->name, double(value),
                                  double(actual));
            }
            ck_assert_uint_eq(to.back(), 12345);
        }
    }
}
END_TEST

START_TEST(sizes_of_results_are_those_of_torch) {
    const Shape shape{1, 10, 11, 6, 8, {3, 2}, {2, 3}, {2, 4}, {1, 0, 2, 5}, 2};
    ck_assert_int_eq(shape.out_height(), 5); // (10 + 1 + 2 - 2 · 2 - 1) / 2 + 1
    ck_assert_int_eq(shape.out_width(), 4);  // (11 + 0 + 5 - 4 · 1 - 1) / 3 + 1
    ck_assert_int_eq(shape.patch(), 18);
}
END_TEST

int main() {
    return run_suite(
        "cpu_convolution",
        {convolutions_agree_with_the_plain_sum, neighbours_without_gaps_are_laid_out_at_once,
         few_results_agree_with_the_plain_sum, many_results_are_cut_into_chunks,
         every_group_of_one_channel_has_its_own_weights, every_activation_is_applied,
         scratch_of_a_team_is_enough_for_one_thread, a_nan_reaches_the_results_that_see_it_only,
         shapes_share_packed_weights, rounded_convolutions_agree_with_the_plain_sum,
         rounded_frames_agree_with_the_plain_sum, large_rounded_frames_are_cut_into_bands,
         rounding_is_to_the_nearest, sizes_of_results_are_those_of_torch},
        240);
}
