// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"
#include "support/targets.h"

#include "base/simd.h"

#include "backends/cpu/kernels/depthwise.h"
#include "backends/cpu/parallel.h"

#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

using tvw::cpu::Depthwise;
using tvw::cpu::Epilogue;
using tvw::cpu::Image;
using tvw::op::ActivationKind;

namespace {

constexpr unsigned kSeed = 20240611;
constexpr float kCanary = 1e30f;

double reference_activation(double x, std::optional<ActivationKind> kind) {
    if (!kind)
        return x;
    switch (*kind) {
    case ActivationKind::kRelu:
        return std::max(x, 0.0);
    case ActivationKind::kRelu6:
        return std::clamp(x, 0.0, 6.0);
    case ActivationKind::kSilu:
        return x / (1 + std::exp(-x));
    case ActivationKind::kSigmoid:
        return 1 / (1 + std::exp(-x));
    case ActivationKind::kHardswish:
        return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case ActivationKind::kHardsigmoid:
        return std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case ActivationKind::kGelu:
        return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    case ActivationKind::kTanh:
        return std::tanh(x);
    case ActivationKind::kExp:
        return std::exp(x);
    }
    return x;
}

/// What a convolution reads and is told to do; slices of wider images where slack is above 0.
struct Case {
    Depthwise::Shape shape;
    int64_t x_slack = 0;
    int64_t y_slack = 0;
    bool bias = false;
    bool residual = false;
    bool in_place = false; ///< the residual is overwritten
    bool sums = false;
    std::optional<ActivationKind> activation = {};
};

std::string text_of(const Case &test) {
    const Depthwise::Shape &s = test.shape;
    char text[300];
    std::snprintf(text, sizeof text,
                  "seed %u: %dx%dx%dx%d, kernel %dx%d, stride %dx%d, dilation %dx%d, padding %d %d "
                  "%d %d, slack %d %d, bias %d residual %d%s sums %d activation %d",
                  kSeed, int(s.batch), int(s.height), int(s.width), int(s.channels),
                  int(s.kernel[0]), int(s.kernel[1]), int(s.stride[0]), int(s.stride[1]),
                  int(s.dilation[0]), int(s.dilation[1]), int(s.padding[0]), int(s.padding[1]),
                  int(s.padding[2]), int(s.padding[3]), int(test.x_slack), int(test.y_slack),
                  test.bias, test.residual, test.in_place ? " in place" : "", test.sums,
                  test.activation ? int(*test.activation) : -1);
    return text;
}

using Generator = std::mt19937;

int64_t pick(Generator &random, int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
}

std::vector<float> random_floats(Generator &random, int64_t count) {
    std::uniform_real_distribution<float> values(-1, 1);
    std::vector<float> result(static_cast<size_t>(count));
    for (float &value : result)
        value = values(random);
    return result;
}

/// An image with its memory: of the right size to the last byte, so that sanitizers see what is
/// read beyond it.
struct Owned {
    std::vector<float> values;
    Image<float> image;

    Owned(std::array<int64_t, 4> nhwc, int64_t slack) {
        const auto [n, h, w, c] = nhwc;
        const int64_t pixel = c + slack;
        values.assign(size_t((n * h * w - 1) * pixel + c), kCanary);
        image = {values.data(), n, h, w, c, pixel};
    }
    Image<const float> view() const {
        return {image.data, image.batch, image.height, image.width, image.channels, image.pixel};
    }
    void fill(Generator &random) {
        for_each(
            [&](float &value) { value = std::uniform_real_distribution<float>(-1, 1)(random); });
    }
    template<typename F>
    void for_each(F f) {
        for (size_t i = 0; i < values.size(); i++)
            if (int64_t(i) % image.pixel < image.channels)
                f(values[i]);
    }
};

double reference(const Case &test, const Image<const float> &x, const std::vector<float> &weight,
                 std::array<int64_t, 4> at) {
    const Depthwise::Shape &s = test.shape;
    const auto [n, oy, ox, c] = at;
    double sum = 0;
    for (int64_t ky = 0; ky < s.kernel[0]; ky++) {
        for (int64_t kx = 0; kx < s.kernel[1]; kx++) {
            const int64_t iy = oy * s.stride[0] - s.padding[0] + ky * s.dilation[0];
            const int64_t ix = ox * s.stride[1] - s.padding[1] + kx * s.dilation[1];
            if (iy >= 0 && iy < s.height && ix >= 0 && ix < s.width)
                sum += double(x.at(n, iy, ix)[c]) *
                       double(weight[size_t((c * s.kernel[0] + ky) * s.kernel[1] + kx)]);
        }
    }
    return sum;
}

bool close(double actual, double expected, double size = 1) {
    return std::abs(actual - expected) <= 2e-5 * (size + std::abs(expected));
}

/// Runs the convolution twice and compares every byte of what it wrote, and of what lies between.
void check(const Case &test, Generator &random) {
    const Depthwise::Shape &s = test.shape;
    const std::vector<float> weight = random_floats(random, s.channels * s.kernel[0] * s.kernel[1]);
    const std::vector<float> bias = random_floats(random, s.channels);
    const Depthwise conv(s, weight.data());
    const int64_t height = conv.out_height(), width = conv.out_width();
    Owned x({s.batch, s.height, s.width, s.channels}, test.x_slack);
    x.fill(random);
    Owned residual({s.batch, height, width, s.channels}, test.y_slack);
    residual.fill(random);
    Owned y = residual;
    if (!test.in_place)
        y = Owned({s.batch, height, width, s.channels}, test.y_slack);
    y.image.data = y.values.data();

    Epilogue epilogue;
    epilogue.bias = test.bias ? bias.data() : nullptr;
    epilogue.activation = test.activation;
    if (test.residual) {
        epilogue.residual = test.in_place ? y.image.data : residual.image.data;
        epilogue.residual_pixel = residual.image.pixel;
    }
    const int64_t scratch_floats = conv.scratch_floats(test.sums);
    auto scratch = hwy::AllocateAligned<float>(size_t(scratch_floats + 1));
    scratch[size_t(scratch_floats)] = kCanary;
    std::vector<float> sums(size_t(s.batch * s.channels) + 1, kCanary);
    const Owned before = y;
    conv.run(x.view(), y.image, epilogue, scratch.get(), test.sums ? sums.data() : nullptr);

    const std::string text = text_of(test);
    std::vector<double> expected_sums(sums.size());
    for (size_t i = 0; i < y.values.size(); i++) {
        const int64_t pixel = int64_t(i) / y.image.pixel, c = int64_t(i) % y.image.pixel;
        if (c >= s.channels) {
            ck_assert_msg(y.values[i] == kCanary, "%s: wrote between pixels", text.c_str());
            continue;
        }
        const int64_t n = pixel / (height * width);
        double value =
            reference(test, x.view(), weight, {n, pixel / width % height, pixel % width, c});
        value += test.bias ? double(bias[size_t(c)]) : 0;
        value += test.residual ? double(residual.values[i]) : 0;
        value = reference_activation(value, test.activation);
        expected_sums[size_t(n * s.channels + c)] += value;
        ck_assert_msg(close(double(y.values[i]), value), "%s: pixel %d channel %d is %g, not %g",
                      text.c_str(), int(pixel), int(c), double(y.values[i]), value);
    }
    for (size_t i = 0; test.sums && i + 1 < sums.size(); i++)
        ck_assert_msg(close(double(sums[i]), expected_sums[i], double(height * width)),
                      "%s: sum %d is %g, not %g", text.c_str(), int(i), double(sums[i]),
                      expected_sums[i]);
    ck_assert(sums.back() == kCanary && scratch[size_t(scratch_floats)] == kCanary);

    Owned again = before;
    again.image.data = again.values.data();
    if (test.in_place)
        epilogue.residual = again.image.data;
    std::vector<float> sums_again(sums.size(), kCanary);
    conv.run(x.view(), again.image, epilogue, scratch.get(),
             test.sums ? sums_again.data() : nullptr);
    ck_assert(std::memcmp(y.values.data(), again.values.data(), y.values.size() * 4) == 0);
    ck_assert(std::memcmp(sums.data(), sums_again.data(), sums.size() * 4) == 0);
}

/// Calls f with every target of Highway that this CPU has, and 1, 2 and 3 threads.
template<typename F>
void on_every_target(F f) {
    tvw::test::for_each_target([&](const char * /*name*/) {
        for (int threads = 1; threads <= 3; threads++) {
            tvw::cpu::set_team_size(threads);
            Generator random(kSeed);
            f(random);
        }
    });
    tvw::cpu::set_team_size(1);
}

std::optional<ActivationKind> pick_activation(Generator &random) {
    const int64_t kind = pick(random, -1, int64_t(ActivationKind::kExp));
    return kind < 0 ? std::nullopt : std::optional(ActivationKind(kind));
}

Case pick_case(Generator &random) {
    Case test;
    Depthwise::Shape &s = test.shape;
    s.batch = pick(random, 1, 2);
    s.channels = pick(random, 0, 3) == 0 ? 8 * pick(random, 1, 8) : pick(random, 1, 70);
    test.x_slack = pick(random, 0, 1) * pick(random, 1, 20);
    test.y_slack = pick(random, 0, 1) * pick(random, 1, 20);
    test.bias = pick(random, 0, 1) == 1;
    test.residual = pick(random, 0, 3) == 0;
    test.in_place = test.residual && pick(random, 0, 1) == 1;
    test.sums = pick(random, 0, 1) == 1;
    test.activation = pick_activation(random);
    return test;
}

} // namespace

START_TEST(kernels_of_networks_agree_with_the_reference) {
    on_every_target([](Generator &random) {
        for (int i = 0; i < 60; i++) {
            Case test = pick_case(random);
            Depthwise::Shape &s = test.shape;
            const int64_t kernel = 3 + 2 * (i % 3), stride = 1 + i / 3 % 2, pad = kernel / 2;
            s.height = pick(random, 1, 15);
            s.width = pick(random, 1, 30);
            s.kernel = {kernel, kernel};
            s.stride = {stride, stride};
            s.padding = {pad, pad, pad, pad};
            check(test, random);
        }
    });
}
END_TEST

START_TEST(any_kernel_stride_dilation_and_padding_agree_with_the_reference) {
    on_every_target([](Generator &random) {
        for (int i = 0; i < 60; i++) {
            Case test = pick_case(random);
            Depthwise::Shape &s = test.shape;
            s.kernel = {pick(random, 1, 7), pick(random, 1, 9)};
            s.stride = {pick(random, 1, 3), pick(random, 1, 3)};
            s.dilation = {pick(random, 1, 3), pick(random, 1, 2)};
            s.height = pick(random, 1, 20);
            s.width = pick(random, 1, 20);
            s.padding = {pick(random, 0, 4), pick(random, 0, 9), pick(random, 0, 4),
                         pick(random, 0, 9)};
            // At least one window must fit.
            for (size_t side = 0; side < 2; side++) {
                const int64_t window = s.dilation[side] * (s.kernel[side] - 1) + 1;
                int64_t &size = side == 0 ? s.height : s.width;
                size = std::max(size, window - s.padding[side] - s.padding[side + 2]);
            }
            check(test, random);
        }
    });
}
END_TEST

START_TEST(kernels_may_be_taller_than_tiles_provide_for) {
    on_every_target([](Generator &random) {
        Case test = pick_case(random);
        test.shape.height = 21;
        test.shape.width = 9;
        test.shape.kernel = {19, 3};
        test.shape.padding = {9, 1, 9, 1};
        check(test, random);
    });
}
END_TEST

START_TEST(every_width_is_divided_into_tiles) {
    on_every_target([](Generator &random) {
        for (int64_t width = 1; width <= 34; width++) {
            for (int64_t kernel = 3; kernel <= 7; kernel += 2) {
                Case test = pick_case(random);
                const int64_t pad = kernel / 2, stride = 1 + width % 2;
                test.shape.channels = 16;
                test.shape.height = 3;
                test.shape.width = width;
                test.shape.kernel = {kernel, kernel};
                test.shape.stride = {stride, stride};
                test.shape.padding = {pad, pad, pad, pad};
                check(test, random);
            }
        }
    });
}
END_TEST

START_TEST(many_bands_add_up_to_the_sums) {
    on_every_target([](Generator &random) {
        Case test;
        test.shape = {1, 200, 30, 24, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
        test.bias = test.sums = true;
        for (const auto kind : {ActivationKind::kRelu, ActivationKind::kSilu}) {
            test.activation = kind;
            check(test, random);
        }
    });
}
END_TEST

START_TEST(weights_are_shared_by_shapes) {
    Generator random(kSeed);
    const std::vector<float> weight = random_floats(random, 20 * 9);
    const Depthwise::Shape small{1, 4, 4, 20, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
    Depthwise::Shape large = small;
    large.height = large.width = 9;
    const Depthwise first(small, weight.data());
    const Depthwise second(large, first.weight());
    ck_assert(first.weight().values == second.weight().values);
    ck_assert_int_eq(second.out_width(), 9);
    ck_assert_int_eq(second.scratch_floats(false), 0);
}
END_TEST

int main() {
    return tvw::test::run_suite("cpu depthwise",
                                {kernels_of_networks_agree_with_the_reference,
                                 any_kernel_stride_dilation_and_padding_agree_with_the_reference,
                                 kernels_may_be_taller_than_tiles_provide_for,
                                 every_width_is_divided_into_tiles, many_bands_add_up_to_the_sums,
                                 weights_are_shared_by_shapes});
}
