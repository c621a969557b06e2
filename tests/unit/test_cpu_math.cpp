// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"
#include "support/targets.h"

#include "backends/cpu/kernels/elementwise.h"
#include "backends/cpu/kernels/normalize.h"
#include "backends/cpu/parallel.h"
#include "base/simd.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <vector>

using tvw::cpu::Combine;
using tvw::cpu::Rows;
using tvw::op::ActivationKind;

namespace {

constexpr float kUntouched = 12345.0f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr ActivationKind kKinds[] = {
    ActivationKind::kRelu,    ActivationKind::kRelu6,     ActivationKind::kSilu,
    ActivationKind::kSigmoid, ActivationKind::kHardswish, ActivationKind::kHardsigmoid,
    ActivationKind::kGelu,    ActivationKind::kTanh,      ActivationKind::kExp};

double exactly(ActivationKind kind, double x) {
    switch (kind) {
    case ActivationKind::kRelu:
        return std::max(x, 0.0);
    case ActivationKind::kRelu6:
        return std::clamp(x, 0.0, 6.0);
    case ActivationKind::kSilu:
        return x / (1 + std::exp(-x));
    case ActivationKind::kSigmoid:
        return 1 / (1 + std::exp(-x));
    case ActivationKind::kHardswish:
        return x * std::clamp(x + 3, 0.0, 6.0) / 6;
    case ActivationKind::kHardsigmoid:
        return std::clamp(x + 3, 0.0, 6.0) / 6;
    case ActivationKind::kGelu:
        return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    case ActivationKind::kTanh:
        return std::tanh(x);
    case ActivationKind::kExp:
        return std::exp(x);
    }
    return 0;
}

/// How far the activation of x may be from the exact one.
double allowed(ActivationKind kind, double x) {
    const double exact = std::fabs(exactly(kind, x));
    switch (kind) {
    case ActivationKind::kRelu:
    case ActivationKind::kRelu6:
        return 0;
    case ActivationKind::kSilu:
    case ActivationKind::kSigmoid:
        return (4e-7 + 1e-7 * std::fabs(x)) * exact + 4e-36; // what underflows is 0
    case ActivationKind::kHardswish:
        return 1.5e-7 * std::fabs(x);
    case ActivationKind::kHardsigmoid:
        return 1.5e-7;
    case ActivationKind::kGelu:
        return 3e-7 * std::fabs(x);
    case ActivationKind::kTanh:
        return 3e-7 * exact;
    case ActivationKind::kExp:
        return 3e-7 * exact + 2e-38;
    }
    return 0;
}

std::vector<float> activated(ActivationKind kind, const std::vector<float> &x) {
    std::vector<float> y(x.size());
    tvw::cpu::activation(int64_t(x.size()), x.data(), kind, y.data());
    return y;
}

/// A matrix with more floats in a row than are used.
struct Matrix {
    int64_t rows, channels, stride;
    std::vector<float> data;

    Matrix(int64_t rows_, int64_t channels_, int64_t gap)
        : rows(rows_),
          channels(channels_),
          stride(channels_ + gap),
          data(size_t(rows_ * stride), kUntouched) {}
    Matrix(std::mt19937 &random, int64_t rows_, int64_t channels_, int64_t gap)
        : Matrix(rows_, channels_, gap) {
        std::normal_distribution<float> distribution(0.5f, 2.0f);
        for (float &value : data)
            value = distribution(random);
    }
    float at(int64_t r, int64_t c) const { return data[size_t(r * stride + c)]; }
    Rows<const float> in() const { return {data.data(), stride}; }
    Rows<float> out() { return {data.data(), stride}; }
};

using Exact = std::function<double(int64_t r, int64_t c)>;

void check(const char *target, const Matrix &y, double tolerance, const Exact &exact) {
    for (int64_t r = 0; r < y.rows; ++r)
        for (int64_t c = 0; c < y.stride; ++c) {
            const auto actual = double(y.at(r, c));
            const double expected = c < y.channels ? exact(r, c) : double(kUntouched);
            const double limit =
                c < y.channels ? tolerance * std::max(1.0, std::fabs(expected)) : 0;
            ck_assert_msg(std::fabs(actual - expected) <= limit,
                          "%s, %d×%d, at (%d, %d): %.9g, expected %.9g", target, int(y.rows),
                          int(y.channels), int(r), int(c), actual, expected);
        }
}

/// Calls f(random, rows, channels, target) for random shapes, teams and every target.
template<typename F>
void for_random_shapes(const F &f) {
    const unsigned seed = std::random_device()();
    std::printf("seed %u\n", seed);
    tvw::test::for_each_target([&](const char *target) {
        std::mt19937 random(seed);
        for (int i = 0; i < 60; ++i) {
            tvw::cpu::set_team_size(1 + i % 3);
            const auto rows = std::uniform_int_distribution<int64_t>(1, 20)(random);
            const auto channels =
                std::uniform_int_distribution<int64_t>(1, i % 2 ? 20 : 200)(random);
            f(random, rows, channels, target);
        }
    });
    tvw::cpu::set_team_size(1);
}

} // namespace

START_TEST(activations_are_within_their_errors) {
    std::vector<float> x;
    for (double value = -100; value < 100; value += 1e-3)
        x.push_back(float(value));
    for (double value = 1e-8; value < 1; value *= 1.001)
        x.insert(x.end(), {float(value), float(-value)});
    tvw::test::for_each_target([&](const char *target) {
        for (const ActivationKind kind : kKinds) {
            const std::vector<float> y = activated(kind, x);
            for (size_t i = 0; i < x.size(); ++i) {
                const auto exact = exactly(kind, double(x[i]));
                if (std::isinf(float(exact)))
                    ck_assert(double(y[i]) == double(kInfinity));
                else
                    ck_assert_msg(std::fabs(double(y[i]) - exact) <= allowed(kind, double(x[i])),
                                  "%s, kind %d of %.9g: %.9g, expected %.9g", target, int(kind),
                                  double(x[i]), double(y[i]), exact);
            }
        }
    });
}
END_TEST

START_TEST(activations_keep_nan_and_bear_the_largest_numbers) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> x{nan, kInfinity, 3e38f, -3e38f, 0.0f, 88.7f, 89.0f, -kInfinity};
    const std::vector<float> at_infinity{kInfinity, 6,         kInfinity, 1,        kInfinity,
                                         1,         kInfinity, 1,         kInfinity};
    tvw::test::for_each_target([&](const char *target) {
        for (const ActivationKind kind : kKinds) {
            const std::vector<float> y = activated(kind, x);
            ck_assert_msg(std::isnan(y[0]), "%s, kind %d", target, int(kind));
            ck_assert_msg(y[1] == at_infinity[size_t(kind)], "%s, kind %d", target, int(kind));
            for (size_t i = 2; i < 7; ++i)
                ck_assert_msg(y[i] == float(exactly(kind, double(x[i]))) ||
                                  std::fabs(double(y[i]) - exactly(kind, double(x[i]))) <=
                                      allowed(kind, double(x[i])),
                              "%s, kind %d of %g: %g", target, int(kind), double(x[i]),
                              double(y[i]));
            // As ATen: those that multiply -inf by 0 or divide it by inf are NaN there.
            const float lowest = kind == ActivationKind::kTanh ? -1.0f : 0.0f;
            const bool undefined = kind == ActivationKind::kSilu ||
                                   kind == ActivationKind::kHardswish ||
                                   kind == ActivationKind::kGelu;
            ck_assert_msg(undefined ? std::isnan(y[7]) : y[7] == lowest, "%s, kind %d", target,
                          int(kind));
        }
    });
}
END_TEST

START_TEST(arrays_of_any_length_are_activated_and_combined) {
    std::mt19937 random(1);
    tvw::test::for_each_target([&](const char *target) {
        for (const int64_t count : {1, 2, 3, 7, 15, 16, 17, 33, 1023, 1024, 1025, 5001}) {
            tvw::cpu::set_team_size(1 + int(count % 3));
            const Matrix a(random, 1, count, 0), b(random, 1, count, 0);
            Matrix y(1, count, 9);
            tvw::cpu::activation(count, a.data.data(), ActivationKind::kSilu, y.data.data());
            check(target, y, 1e-6, [&](int64_t r, int64_t c) {
                return exactly(ActivationKind::kSilu, double(a.at(r, c)));
            });
            tvw::cpu::combine(Combine::kMul, count, a.data.data(), b.data.data(), {},
                              y.data.data());
            check(target, y, 1e-6,
                  [&](int64_t r, int64_t c) { return double(a.at(r, c)) * double(b.at(r, c)); });
            tvw::cpu::combine(Combine::kAdd, count, a.data.data(), b.data.data(),
                              ActivationKind::kRelu, y.data.data());
            check(target, y, 1e-6, [&](int64_t r, int64_t c) {
                return std::max(0.0, double(a.at(r, c)) + double(b.at(r, c)));
            });
        }
    });
    tvw::cpu::set_team_size(1);
}
END_TEST

START_TEST(rows_are_combined_with_every_activation) {
    for_random_shapes([](std::mt19937 &random, int64_t rows, int64_t channels, const char *target) {
        const Matrix a(random, rows, channels, 3), b(random, rows, channels, 0);
        for (const ActivationKind kind : kKinds) {
            Matrix y(rows, channels, 5);
            tvw::cpu::combine(Combine::kAdd, rows, channels, a.in(), b.in(), kind, y.out());
            check(target, y, 2e-6, [&](int64_t r, int64_t c) {
                return exactly(kind, double(a.at(r, c) + b.at(r, c)));
            });
        }
        Matrix y(rows, channels, 5);
        tvw::cpu::combine(Combine::kMul, rows, channels, a.in(), {b.data.data(), 0}, {}, y.out());
        check(target, y, 1e-6,
              [&](int64_t r, int64_t c) { return double(a.at(r, c)) * double(b.at(0, c)); });
    });
}
END_TEST

START_TEST(channels_are_scaled_and_shifted) {
    for_random_shapes([](std::mt19937 &random, int64_t rows, int64_t channels, const char *target) {
        const Matrix x(random, rows, channels, 3), residual(random, rows, channels, 1);
        const Matrix scale(random, 1, channels, 0), shift(random, 1, channels, 0);
        for (int which = 0; which < 4; ++which) {
            const bool shifted = which & 1, added = which & 2;
            Matrix y(rows, channels, 5);
            tvw::cpu::scale_and_shift(rows, channels, x.in(), scale.data.data(),
                                      shifted ? shift.data.data() : nullptr,
                                      added ? residual.in() : Rows<const float>{nullptr, 0},
                                      ActivationKind::kRelu, y.out());
            check(target, y, 3e-6, [&](int64_t r, int64_t c) {
                const double product = double(x.at(r, c)) * double(scale.at(0, c));
                return std::max(0.0, product + shifted * double(shift.at(0, c)) +
                                         added * double(residual.at(r, c)));
            });
        }
    });
}
END_TEST

START_TEST(every_image_has_its_own_scales) {
    for_random_shapes([](std::mt19937 &random, int64_t rows, int64_t channels, const char *target) {
        const Matrix x(random, rows * 3, channels, 3), scale(random, 3, channels, 0);
        Matrix y(rows * 3, channels, 5);
        tvw::cpu::scale_channels(3, rows, channels, x.in(), scale.data.data(), y.out());
        check(target, y, 1e-6, [&](int64_t r, int64_t c) {
            return double(x.at(r, c)) * double(scale.at(r / rows, c));
        });
    });
}
END_TEST

START_TEST(layer_norm_agrees_with_its_definition) {
    for_random_shapes([](std::mt19937 &random, int64_t rows, int64_t channels, const char *target) {
        Matrix x(random, rows, channels, 3);
        for (float &value : x.data)
            value += 100; // a mean far from 0 shows how variances are summed
        const Matrix weight(random, 1, channels, 0), bias(random, 1, channels, 0);
        Matrix y(rows, channels, 5);
        tvw::cpu::layer_norm(rows, channels, x.in(), weight.data.data(), bias.data.data(), 1e-3f,
                             y.out());
        check(target, y, 2e-4, [&](int64_t r, int64_t c) {
            double mean = 0, variance = 0;
            for (int64_t i = 0; i < channels; ++i)
                mean += double(x.at(r, i)) / double(channels);
            for (int64_t i = 0; i < channels; ++i)
                variance += std::pow(double(x.at(r, i)) - mean, 2) / double(channels);
            return (double(x.at(r, c)) - mean) / std::sqrt(variance + 1e-3) *
                       double(weight.at(0, c)) +
                   double(bias.at(0, c));
        });
    });
}
END_TEST

START_TEST(softmax_agrees_with_its_definition) {
    for_random_shapes([](std::mt19937 &random, int64_t rows, int64_t channels, const char *target) {
        const Matrix x(random, rows, channels, 3);
        Matrix y(rows, channels, 5);
        tvw::cpu::softmax(rows, channels, x.in(), y.out());
        check(target, y, 1e-6, [&](int64_t r, int64_t c) {
            double sum = 0;
            for (int64_t i = 0; i < channels; ++i)
                sum += std::exp(double(x.at(r, i)) - double(x.at(r, c)));
            return 1 / sum;
        });
    });
}
END_TEST

START_TEST(normalize_agrees_with_its_definition) {
    for_random_shapes([](std::mt19937 &random, int64_t rows, int64_t channels, const char *target) {
        Matrix x(random, rows, channels, 3);
        std::fill_n(x.data.begin(), channels, 0.0f); // eps keeps such a row 0
        Matrix y(rows, channels, 5);
        tvw::cpu::normalize(rows, channels, x.in(), 1e-12f, y.out());
        check(target, y, 1e-6, [&](int64_t r, int64_t c) {
            double squares = 0;
            for (int64_t i = 0; i < channels; ++i)
                squares += double(x.at(r, i)) * double(x.at(r, i));
            return double(x.at(r, c)) / std::max(std::sqrt(squares), 1e-12);
        });
    });
}
END_TEST

START_TEST(results_may_replace_the_input) {
    for_random_shapes([](std::mt19937 &random, int64_t rows, int64_t channels, const char *) {
        const Matrix x(random, rows, channels, 3), weight(random, 1, channels, 0);
        const float *scale = weight.data.data();
        const auto same = [&](const auto &call) {
            Matrix apart = x, in_place = x;
            call(x.in(), apart.out());
            call(in_place.in(), in_place.out());
            ck_assert(apart.data == in_place.data);
        };
        same([&](auto in, auto out) { tvw::cpu::softmax(rows, channels, in, out); });
        same([&](auto in, auto out) { tvw::cpu::normalize(rows, channels, in, 1e-12f, out); });
        same([&](auto in, auto out) {
            tvw::cpu::layer_norm(rows, channels, in, scale, scale, 1e-5f, out);
        });
        same([&](auto in, auto out) {
            tvw::cpu::scale_and_shift(rows, channels, in, scale, scale, in, ActivationKind::kGelu,
                                      out);
        });
    });
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "cpu_math",
        {activations_are_within_their_errors, activations_keep_nan_and_bear_the_largest_numbers,
         arrays_of_any_length_are_activated_and_combined, rows_are_combined_with_every_activation,
         channels_are_scaled_and_shifted, every_image_has_its_own_scales,
         layer_norm_agrees_with_its_definition, softmax_agrees_with_its_definition,
         normalize_agrees_with_its_definition, results_may_replace_the_input});
}
