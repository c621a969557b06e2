// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/convolutions.h"
#include "support/suite.h"

#include "backends/cpu/kernels/direct.h"
#include "backends/cpu/parallel.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

using namespace tvw::test;
using tvw::cpu::DirectConvolution;
using tvw::op::ActivationKind;

namespace {

using Shape = DirectConvolution::Shape;

constexpr Extra kPlain{0, 0, 0, true, false, false, ActivationKind::kRelu};

int64_t window(const Shape &shape, size_t side) {
    return shape.dilation[side] * (shape.kernel[side] - 1) + 1;
}

int64_t out_size(const Shape &shape, size_t side) {
    const int64_t size = side == 0 ? shape.height : shape.width;
    const int64_t padded = size + shape.padding[side] + shape.padding[side + 2];
    return (padded - window(shape, side)) / shape.stride[side] + 1;
}

/// Floats from one pixel, row, plane and image to the next.
struct Strides {
    int64_t pixel, row, plane, image;
};

Strides dense(const Shape &shape) {
    const int64_t row = shape.width * shape.plane_channels;
    const int64_t plane = shape.height * row;
    return {shape.plane_channels, row, plane, shape.planes * plane};
}

/// Gaps behind pixels, rows, planes and images; or a row of all planes, and then the next of all.
Strides random_strides(const Shape &shape, int64_t pixel_gap, std::mt19937 &random) {
    const auto gap = [&random] { return between(0, 1, random) * between(1, 30, random); };
    const int64_t pixel = shape.plane_channels + pixel_gap;
    const int64_t row = shape.width * pixel + gap();
    if (between(0, 3, random) == 0) {
        const int64_t rows = shape.planes * row + gap();
        return {pixel, rows, row, shape.height * rows + gap()};
    }
    const int64_t plane = shape.height * row + gap();
    return {pixel, row, plane, shape.planes * plane + gap()};
}

class Example {
public:
    Example(const Shape &shape, const Strides &strides, const Extra &extra, std::mt19937 &random)
        : s_(shape),
          strides_(strides),
          height_(out_size(shape, 0)),
          width_(out_size(shape, 1)),
          results_(shape.batch * height_ * width_, shape.out_channels, extra, random),
          weight_(numbers(shape.out_channels * shape.patch(), random,
                          1 / std::sqrt(double(shape.patch())))),
          packed_(DirectConvolution::pack(weight_.data(), shape)) {
        // Nothing follows the last pixel: a sanitizer sees what is read beyond it.
        const int64_t channels = s_.planes * s_.plane_channels;
        x_.assign(x_index(s_.batch - 1, channels - 1, s_.height - 1, s_.width - 1) + 1, kUnset);
        for (int64_t n = 0; n < s_.batch; ++n)
            for (int64_t c = 0; c < channels; ++c)
                for (int64_t pixel = 0; pixel < s_.height * s_.width; ++pixel)
                    x_[x_index(n, c, pixel / s_.width, pixel % s_.width)] = numbers(1, random)[0];
    }

    std::vector<float> run(int threads) const {
        std::vector<float> y = results_.before();
        tvw::cpu::set_team_size(threads);
        const DirectConvolution convolution(s_, packed_);
        Scratch scratch(convolution.scratch_floats(threads));
        convolution.run({x_.data(), strides_.image, strides_.plane, strides_.row, strides_.pixel},
                        {y.data(), s_.batch, height_, width_, s_.out_channels, results_.y_pixel()},
                        results_.epilogue(y), scratch.data());
        scratch.check(text());
        return y;
    }

    void check(const std::vector<float> &y) const {
        std::vector<Expected> expected;
        for (int64_t row = 0; row < s_.batch * height_; ++row)
            for (int64_t column = 0; column < width_; ++column)
                for (int64_t o = 0; o < s_.out_channels; ++o)
                    expected.push_back(sum_at(row / height_, row % height_, column, o));
        results_.check(y, expected, text());
    }

    std::string text() const {
        char text[300];
        std::snprintf(
            text, sizeof text,
            "%d images of %d planes %dx%dx%d to %d, %d groups, kernel %dx%d, stride %dx%d, "
            "dilation %dx%d, padding %d %d %d %d, strides %d %d %d %d",
            int(s_.batch), int(s_.planes), int(s_.height), int(s_.width), int(s_.plane_channels),
            int(s_.out_channels), int(s_.groups), int(s_.kernel[0]), int(s_.kernel[1]),
            int(s_.stride[0]), int(s_.stride[1]), int(s_.dilation[0]), int(s_.dilation[1]),
            int(s_.padding[0]), int(s_.padding[1]), int(s_.padding[2]), int(s_.padding[3]),
            int(strides_.image), int(strides_.plane), int(strides_.row), int(strides_.pixel));
        return circumstances() + text;
    }

private:
    size_t x_index(int64_t n, int64_t c, int64_t y, int64_t x) const {
        return size_t(n * strides_.image + c / s_.plane_channels * strides_.plane +
                      y * strides_.row + x * strides_.pixel + c % s_.plane_channels);
    }

    Expected sum_at(int64_t n, int64_t row, int64_t column, int64_t o) const {
        const int64_t first = o / (s_.out_channels / s_.groups) * s_.group_channels();
        double sum = 0, size = 0;
        for (int64_t k = 0; k < s_.patch(); ++k) {
            const int64_t c = first + k / s_.kernel[1] / s_.kernel[0];
            const int64_t i = k / s_.kernel[1] % s_.kernel[0], j = k % s_.kernel[1];
            const int64_t y = row * s_.stride[0] - s_.padding[0] + i * s_.dilation[0];
            const int64_t x = column * s_.stride[1] - s_.padding[1] + j * s_.dilation[1];
            if (y < 0 || y >= s_.height || x < 0 || x >= s_.width)
                continue;
            const double product =
                double(x_[x_index(n, c, y, x)]) * double(weight_[size_t(o * s_.patch() + k)]);
            sum += product;
            size += std::fabs(product);
        }
        return {sum, 1e-6 * size};
    }

    Shape s_;
    Strides strides_;
    int64_t height_, width_; ///< of the results
    Results results_;
    std::vector<float> x_, weight_;
    tvw::cpu::SharedFloats packed_;
};

/// Sets height and width so that `most` results fit at the most, and one at the least.
void set_size(Shape &shape, int64_t most, std::mt19937 &random) {
    const auto size = [&](size_t side) {
        const int64_t padding = shape.padding[side] + shape.padding[side + 2];
        // Not only sizes that the last window ends with.
        const int64_t beyond = between(0, shape.stride[side] - 1, random);
        const int64_t steps = (between(1, most, random) - 1) * shape.stride[side] + beyond;
        return std::max<int64_t>(window(shape, side) - padding + steps, 1);
    };
    shape.height = size(0);
    shape.width = size(1);
}

/// A third each: planes of one channel, planes of some, one plane of groups.
void set_channels(Shape &shape, std::mt19937 &random) {
    const int64_t kind = between(0, 2, random);
    shape.planes = kind == 2 ? 1 : between(1, 5, random);
    shape.groups = kind == 2 ? between(1, 9, random) : 1;
    shape.plane_channels = kind == 0 ? 1 : shape.groups * between(1, 6, random);
    shape.out_channels = shape.groups * between(1, kind == 2 ? 20 : 50, random);
}

Shape random_shape(std::mt19937 &random) {
    Shape shape{};
    set_channels(shape, random);
    shape.batch = between(1, 3, random);
    shape.kernel = {between(1, 5, random), between(1, 5, random)};
    shape.stride = {between(1, 4, random), between(1, 4, random)};
    shape.dilation = {between(1, 3, random), between(1, 3, random)};
    for (int64_t &padding : shape.padding)
        padding = between(0, 6, random);
    set_size(shape, 20, random);
    return shape;
}

} // namespace

START_TEST(convolutions_agree_with_the_plain_sum) {
    std::printf("seed %u\n", kSeed);
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 150; ++i) {
            const Shape shape = random_shape(random);
            const Extra extra = random_extra(random);
            const Strides strides = random_strides(shape, extra.x_gap, random);
            check_example(Example(shape, strides, extra, random));
        }
    });
}
END_TEST

// Blocks of results do not go on into the next row, however few it has.
START_TEST(every_width_is_divided_into_blocks) {
    on_all_targets([](std::mt19937 &random) {
        for (int64_t width = 1; width <= 30; ++width) {
            const Shape shape{2,      3,      5,      2 * width,   1, between(1, 40, random),
                              {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
            const Extra extra = random_extra(random);
            const Strides strides = random_strides(shape, extra.x_gap, random);
            check_example(Example(shape, strides, extra, random));
        }
    });
}
END_TEST

START_TEST(layers_of_networks_agree_with_the_plain_sum) {
    on_all_targets([](std::mt19937 &random) {
        for (const Shape &shape :
             {Shape{1, 3, 64, 66, 1, 64, {7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}},
              Shape{2, 3, 33, 47, 1, 24, {3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}},
              Shape{1, 3, 63, 63, 1, 64, {11, 11}, {4, 4}, {1, 1}, {2, 2, 2, 2}},
              Shape{1, 3, 64, 64, 1, 64, {16, 16}, {16, 16}},
              Shape{1, 1, 14, 14, 128, 128, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 32},
              Shape{1, 1, 15, 15, 96, 96, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 2}})
            check_example(Example(shape, dense(shape), kPlain, random));
    });
}
END_TEST

START_TEST(every_activation_is_applied) {
    on_all_targets([](std::mt19937 &random) {
        const Shape shape{1, 3, 9, 8, 1, 51, {3, 2}, {1, 1}, {1, 1}, {1, 0, 1, 0}};
        for (int kind = 0; kind <= int(ActivationKind::kExp); ++kind) {
            Extra extra = kPlain;
            extra.residual = true;
            extra.activation = ActivationKind(kind);
            check_example(Example(shape, dense(shape), extra, random));
        }
    });
}
END_TEST

START_TEST(a_nan_reaches_the_results_that_see_it_only) {
    on_all_targets([](std::mt19937 &random) {
        tvw::cpu::set_team_size(1);
        const Shape shape{1, 2, 9, 9, 1, 4, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
        const std::vector<float> weight = numbers(4 * 18, random);
        std::vector<float> x = numbers(2 * 9 * 9, random);
        x[size_t(81 + 4 * 9 + 5)] = kUnset; // the second plane's row 4, column 5
        std::vector<float> y(9 * 9 * 4);
        const DirectConvolution convolution(shape, DirectConvolution::pack(weight.data(), shape));
        Scratch scratch(convolution.scratch_floats(1));
        convolution.run({x.data(), 162, 81, 9, 1}, {y.data(), 1, 9, 9, 4, 4},
                        {.activation = ActivationKind::kRelu}, scratch.data());
        for (int64_t i = 0; i < int64_t(y.size()); ++i) {
            const int64_t row = i / 4 / 9, column = i / 4 % 9;
            const bool sees = std::abs(row - 4) <= 1 && std::abs(column - 5) <= 1;
            ck_assert_msg(std::isnan(y[size_t(i)]) == sees, "%srow %ld, column %ld",
                          circumstances().c_str(), long(row), long(column));
        }
    });
}
END_TEST

int main() {
    return run_suite("cpu_direct",
                     {convolutions_agree_with_the_plain_sum, every_width_is_divided_into_blocks,
                      layers_of_networks_agree_with_the_plain_sum, every_activation_is_applied,
                      a_nan_reaches_the_results_that_see_it_only},
                     240);
}
