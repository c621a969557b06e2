// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/convolutions.h"

#include "base/simd.h"

#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/parallel.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

using tvw::cpu::Epilogue;
using tvw::cpu::PackedGemm;
using tvw::test::activated;
using tvw::test::between;
using tvw::test::kCanary;
using tvw::test::kSeed;
using tvw::test::on_all_targets;
using Kind = tvw::op::ActivationKind;

namespace {

struct Case {
    int64_t rows, out, in;
    int64_t x_stride, y_stride, residual_stride;
    bool bias, residual, in_place, scale;
    std::optional<Kind> activation;
};

std::vector<float> numbers(int64_t count, std::mt19937 &random) {
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> numbers(static_cast<size_t>(count));
    for (float &number : numbers)
        number = uniform(random);
    return numbers;
}

class Example {
public:
    Example(const Case &shape, std::mt19937 &random) : c_(shape) {
        // Nothing follows the last row: a sanitizer sees what is read beyond it.
        x_ = numbers((c_.rows - 1) * c_.x_stride + c_.in, random);
        weight_ = numbers(c_.out * c_.in, random);
        bias_ = numbers(c_.out, random);
        scale_ = numbers(c_.in, random);
        before_.assign(size_t(c_.rows * c_.y_stride), kCanary);
        const std::vector<float> residual =
            numbers((c_.rows - 1) * c_.residual_stride + c_.out, random);
        if (c_.in_place) {
            for (int64_t m = 0; m < c_.rows; ++m)
                std::copy_n(&residual[size_t(m * c_.residual_stride)], c_.out,
                            &before_[size_t(m * c_.y_stride)]);
        } else {
            residual_ = residual;
        }
    }

    std::vector<float> run(int threads) const {
        std::vector<float> y = before_;
        Epilogue epilogue;
        epilogue.bias = c_.bias ? bias_.data() : nullptr;
        epilogue.residual = !c_.residual ? nullptr : c_.in_place ? y.data() : residual_.data();
        epilogue.residual_pixel = c_.in_place ? c_.y_stride : c_.residual_stride;
        epilogue.activation = c_.activation;
        const PackedGemm gemm(weight_.data(), c_.out, c_.in);
        const auto scratch = tvw::cpu::aligned_floats(c_.scale ? gemm.scratch_floats(c_.rows) : 0);
        tvw::cpu::set_team_size(threads);
        gemm.run(x_.data(), c_.x_stride, c_.rows, y.data(), c_.y_stride, epilogue,
                 c_.scale ? scale_.data() : nullptr, c_.scale ? scratch.get() : nullptr);
        return y;
    }

    void check(const std::vector<float> &y) const {
        for (int64_t m = 0; m < c_.rows; ++m) {
            for (int64_t o = 0; o < c_.y_stride; ++o) {
                const auto at = size_t(m * c_.y_stride + o);
                if (o < c_.out)
                    check_one(m, o, double(y[at]));
                else
                    ck_assert_msg(y[at] == kCanary, "%s: wrote beyond row %ld", text().c_str(),
                                  long(m));
            }
        }
    }

    std::string text() const {
        std::string text = std::to_string(c_.rows) + " rows, " + std::to_string(c_.in) + "→" +
                           std::to_string(c_.out);
        text += c_.bias ? " bias" : "";
        text += c_.residual ? c_.in_place ? " residual in place" : " residual" : "";
        text += c_.scale ? " scale" : "";
        return text + " activation " + (c_.activation ? std::to_string(int(*c_.activation)) : "-");
    }

private:
    void check_one(int64_t m, int64_t o, double y) const {
        double sum = c_.bias ? double(bias_[size_t(o)]) : 0;
        double size = 1;
        if (c_.residual)
            sum += c_.in_place ? double(before_[size_t(m * c_.y_stride + o)])
                               : double(residual_[size_t(m * c_.residual_stride + o)]);
        for (int64_t i = 0; i < c_.in; ++i) {
            const double product = double(x_[size_t(m * c_.x_stride + i)]) *
                                   double(weight_[size_t(o * c_.in + i)]) *
                                   (c_.scale ? double(scale_[size_t(i)]) : 1.0);
            sum += product;
            size += std::fabs(product);
        }
        const double expected = activated(sum, c_.activation);
        const double most = 1e-6 * size * std::max(1.0, std::fabs(expected));
        ck_assert_msg(std::fabs(y - expected) <= most, "%s: y[%ld][%ld] is %g, expected %g",
                      text().c_str(), long(m), long(o), y, expected);
    }

    Case c_;
    std::vector<float> x_, weight_, bias_, scale_, residual_, before_;
};

void check_case(const Case &shape, std::mt19937 &random) {
    tvw::test::check_example(Example(shape, random));
}

Case random_case(int64_t most_rows, std::mt19937 &random) {
    Case shape{};
    shape.rows = between(1, most_rows, random);
    shape.out = between(1, 100, random);
    shape.in = between(1, 70, random);
    shape.x_stride = shape.in + between(0, 9, random);
    shape.y_stride = shape.out + between(0, 9, random);
    shape.residual_stride = shape.out + between(0, 9, random);
    shape.bias = between(0, 1, random) == 1;
    shape.residual = between(0, 1, random) == 1;
    shape.in_place = shape.residual && between(0, 1, random) == 1;
    shape.scale = between(0, 2, random) == 0;
    const int64_t kind = between(-1, int64_t(Kind::kExp), random);
    if (kind >= 0)
        shape.activation = Kind(kind);
    return shape;
}

Case plain(int64_t rows, int64_t out, int64_t in) {
    return {rows, out, in, in, out, out, true, false, false, false, Kind::kRelu};
}

// The same results, side by side and with each panel's apart from the next one's.
void check_apart(int64_t rows, int64_t out, int64_t in, std::optional<Kind> activation,
                 std::mt19937 &random) {
    using tvw::cpu::kPanel;
    const std::vector<float> x = numbers(rows * in, random);
    const std::vector<float> bias = numbers(out, random);
    const auto packed = tvw::cpu::aligned_floats(size_t(out * in));
    std::ranges::copy(numbers(out * in, random), packed.get());

    std::vector<float> y(size_t(rows * out));
    const Epilogue epilogue{.bias = bias.data(), .activation = activation};
    tvw::cpu::Product product{x.data(), in, rows, y.data(), out, packed.get(), out, in, epilogue};
    tvw::cpu::multiply(product);

    constexpr int64_t kGap = 5;
    const int64_t panel = rows * kPanel + kGap;
    std::vector<float> apart(size_t(out / kPanel * panel), kCanary);
    product.y = apart.data();
    product.y_stride = kPanel;
    product.y_panel = panel;
    tvw::cpu::multiply(product);

    for (int64_t i = 0; i < out / kPanel * panel; ++i) {
        const int64_t row = i % panel / kPanel;
        const auto from = size_t(row * out + i / panel * kPanel + i % panel % kPanel);
        const float expected = row < rows ? y[from] : kCanary;
        ck_assert_msg(std::fabs(apart[size_t(i)] - expected) <= 1e-4f * (1 + std::fabs(expected)),
                      "%ld x %ld x %ld: [%ld] is %g, expected %g", long(rows), long(in), long(out),
                      long(i), double(apart[size_t(i)]), double(expected));
    }
}

} // namespace

START_TEST(products_agree_with_the_plain_sum) {
    std::printf("seed %u\n", kSeed);
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 150; ++i)
            check_case(random_case(90, random), random);
    });
}
END_TEST

START_TEST(few_rows_agree_with_the_plain_sum) {
    on_all_targets([](std::mt19937 &random) {
        for (int i = 0; i < 150; ++i)
            check_case(random_case(4, random), random);
    });
}
END_TEST

START_TEST(long_products_are_cut_into_chunks) {
    on_all_targets([](std::mt19937 &random) {
        check_case(plain(301, 33, 700), random);
        check_case(plain(49, 40, 2300), random);
        check_case(plain(1, 70, 5000), random);
        Case onto_residual = plain(11, 70, 2500);
        onto_residual.residual = onto_residual.in_place = true;
        check_case(onto_residual, random);
        onto_residual.activation = Kind::kSilu;
        check_case(onto_residual, random);
    });
}
END_TEST

START_TEST(every_activation_is_applied) {
    on_all_targets([](std::mt19937 &random) {
        for (int kind = 0; kind <= int(Kind::kExp); ++kind) {
            Case shape = plain(13, 51, 20);
            shape.activation = Kind(kind);
            check_case(shape, random);
        }
    });
}
END_TEST

START_TEST(a_scale_goes_into_the_smaller_factor) {
    on_all_targets([](std::mt19937 &random) {
        for (const int64_t rows : {1, 15, 200}) {
            Case shape = plain(rows, 24, 35);
            shape.scale = true;
            check_case(shape, random);
        }
    });
}
END_TEST

START_TEST(panels_of_results_may_lie_apart) {
    on_all_targets([](std::mt19937 &random) {
        for (const int64_t rows : {1, 3, 14, 97}) {
            for (const int64_t out : {16, 48, 80, 144}) {
                check_apart(rows, out, 17, std::nullopt, random);
                check_apart(rows, out, 72, Kind::kHardswish, random);
                check_apart(rows, out, 1100, Kind::kSilu, random);
            }
        }
    });
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "cpu_gemm",
        {products_agree_with_the_plain_sum, few_rows_agree_with_the_plain_sum,
         long_products_are_cut_into_chunks, every_activation_is_applied,
         a_scale_goes_into_the_smaller_factor, panels_of_results_may_lie_apart},
        240);
}
