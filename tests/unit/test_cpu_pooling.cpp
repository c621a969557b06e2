// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/suite.h"
#include "support/targets.h"

#include "base/simd.h"

#include "backends/cpu/kernels/pooling.h"
#include "backends/cpu/parallel.h"

#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using tvw::cpu::Image;
using tvw::cpu::PoolWindow;
using tvw::op::ActivationKind;

namespace {

constexpr unsigned kSeed = 20240612;
constexpr float kCanary = 1e30f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

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

/// An image with its memory: of the right size to the last byte, so that sanitizers see what is
/// read beyond it. Between its pixels are canaries.
class Owned {
public:
    Owned(std::array<int64_t, 4> nhwc, int64_t slack)
        : nhwc_(nhwc),
          pixel_(nhwc[3] + slack),
          values_(size_t((nhwc[0] * nhwc[1] * nhwc[2] - 1) * pixel_ + nhwc[3]), kCanary) {}

    Owned(std::array<int64_t, 4> nhwc, int64_t slack, Generator &random) : Owned(nhwc, slack) {
        std::uniform_real_distribution<float> values(-1, 1);
        for (size_t i = 0; i < values_.size(); i++)
            if (int64_t(i) % pixel_ < nhwc_[3])
                values_[i] = values(random);
    }

    Image<float> image() {
        return {values_.data(), nhwc_[0], nhwc_[1], nhwc_[2], nhwc_[3], pixel_};
    }
    Image<const float> view() const {
        return {values_.data(), nhwc_[0], nhwc_[1], nhwc_[2], nhwc_[3], pixel_};
    }
    const std::vector<float> &values() const { return values_; }

private:
    std::array<int64_t, 4> nhwc_;
    int64_t pixel_;
    std::vector<float> values_;
};

void assert_close(float actual, double expected, const char *what) {
    const bool same = std::isnan(expected) ? std::isnan(actual)
                                           : double(actual) == expected ||
                                                 std::abs(double(actual) - expected) <= 1e-5;
    ck_assert_msg(same, "seed %u, %s: %g, not %g", kSeed, what, double(actual), expected);
}

/// Compares what `of` says of (n, i, j, c), and that nothing else was written.
template<typename Of>
void assert_image(const Owned &actual, Of of, const char *what) {
    const Image<const float> y = actual.view();
    for (size_t k = 0; k < actual.values().size(); k++) {
        const int64_t p = int64_t(k) / y.pixel, c = int64_t(k) % y.pixel;
        if (c >= y.channels)
            ck_assert_msg(actual.values()[k] == kCanary, "%s wrote between pixels", what);
        else
            assert_close(actual.values()[k],
                         of(p / y.width / y.height, p / y.width % y.height, p % y.width, c), what);
    }
}

/// Begin and end of a window in one direction.
struct Range {
    int64_t begin;
    int64_t end;
};

struct Window {
    double most;
    double sum;
};

Window reference(const Image<const float> &x, int64_t n, Range rows, Range columns, int64_t c) {
    Window window{double(-kInfinity), 0};
    for (int64_t i = std::max<int64_t>(rows.begin, 0); i < std::min(rows.end, x.height); i++) {
        for (int64_t j = std::max<int64_t>(columns.begin, 0); j < std::min(columns.end, x.width);
             j++) {
            const double value = double(x.at(n, i, j)[c]);
            window.sum += value;
            if (value > window.most || std::isnan(value))
                window.most = value;
        }
    }
    return window;
}

struct Pool {
    Owned x;
    Owned y;
    PoolWindow window;

    Range range(size_t side, int64_t i) const {
        const int64_t begin = i * window.stride[side] - window.padding[side];
        return {begin, begin + window.kernel[side]};
    }
};

Pool pick_pool(Generator &random) {
    PoolWindow window{
        {pick(random, 1, 4), pick(random, 1, 4)}, {pick(random, 1, 3), pick(random, 1, 3)}, {0, 0}};
    std::array<int64_t, 2> in{}, out{};
    for (size_t side = 0; side < 2; side++) {
        window.padding[side] = pick(random, 0, window.kernel[side] / 2);
        in[side] = pick(random, window.kernel[side], 12);
        // Some of the windows end outside, as with ceil_mode.
        out[side] =
            (in[side] + 2 * window.padding[side] - window.kernel[side]) / window.stride[side] + 1 +
            pick(random, 0, window.stride[side] > 1 ? 1 : 0);
    }
    const int64_t n = pick(random, 1, 2), c = pick(random, 1, 150);
    const int64_t slack = pick(random, 0, 1) * pick(random, 1, 9);
    return {Owned({n, in[0], in[1], c}, slack, random),
            Owned({n, out[0], out[1], c}, pick(random, 0, 3)), window};
}

} // namespace

START_TEST(max_pool_agrees_with_the_reference) {
    on_every_target([](Generator &random) {
        for (int i = 0; i < 40; i++) {
            Pool pool = pick_pool(random);
            tvw::cpu::max_pool(pool.x.view(), pool.y.image(), pool.window);
            const auto of = [&](int64_t n, int64_t y, int64_t x, int64_t c) {
                return reference(pool.x.view(), n, pool.range(0, y), pool.range(1, x), c).most;
            };
            assert_image(pool.y, of, "max");
        }
    });
}
END_TEST

START_TEST(max_pool_keeps_nan_and_infinity) {
    on_every_target([](Generator &random) {
        Owned x({1, 9, 9, 37}, 0, random), y({1, 4, 4, 37}, 0);
        for (int i = 0; i < 60; i++) {
            float *pixel = x.image().at(0, pick(random, 0, 8), pick(random, 0, 8));
            pixel[pick(random, 0, 36)] = i % 3 == 0   ? std::nanf("")
                                         : i % 3 == 1 ? -kInfinity
                                                      : kInfinity;
        }
        tvw::cpu::max_pool(x.view(), y.image(), {{3, 3}, {2, 2}, {0, 0}});
        const auto of = [&](int64_t n, int64_t i, int64_t j, int64_t c) {
            return reference(x.view(), n, {2 * i, 2 * i + 3}, {2 * j, 2 * j + 3}, c).most;
        };
        assert_image(y, of, "max");
    });
}
END_TEST

START_TEST(average_pool_divides_by_the_whole_window) {
    on_every_target([](Generator &random) {
        for (int i = 0; i < 40; i++) {
            Pool pool = pick_pool(random);
            tvw::cpu::average_pool(pool.x.view(), pool.y.image(), pool.window);
            const auto area = double(pool.window.kernel[0] * pool.window.kernel[1]);
            const auto of = [&](int64_t n, int64_t y, int64_t x, int64_t c) {
                return reference(pool.x.view(), n, pool.range(0, y), pool.range(1, x), c).sum /
                       area;
            };
            assert_image(pool.y, of, "average");
        }
    });
}
END_TEST

START_TEST(adaptive_pool_divides_the_image_as_pytorch) {
    on_every_target([](Generator &random) {
        for (int i = 0; i < 40; i++) {
            const int64_t c = pick(random, 1, 150), n = pick(random, 1, 2);
            Owned x({n, pick(random, 1, 15), pick(random, 1, 15), c}, pick(random, 0, 4), random);
            Owned y({n, pick(random, 1, 8), pick(random, 1, 8), c}, pick(random, 0, 4));
            tvw::cpu::adaptive_average_pool(x.view(), y.image());
            const auto range = [](int64_t k, int64_t in, int64_t out) {
                return Range{k * in / out, ((k + 1) * in + out - 1) / out};
            };
            const auto of = [&](int64_t image, int64_t k, int64_t j, int64_t channel) {
                const Range rows = range(k, x.view().height, y.view().height);
                const Range columns = range(j, x.view().width, y.view().width);
                const auto area = double((rows.end - rows.begin) * (columns.end - columns.begin));
                return reference(x.view(), image, rows, columns, channel).sum / area;
            };
            assert_image(y, of, "adaptive average");
        }
    });
}
END_TEST

START_TEST(global_mean_agrees_with_the_reference_and_with_itself) {
    on_every_target([](Generator &random) {
        for (int i = 0; i < 30; i++) {
            const int64_t n = pick(random, 1, 2), c = pick(random, 1, 200);
            const int64_t h = pick(random, 1, 15), w = pick(random, 1, 15);
            const Owned x({n, h, w, c}, pick(random, 0, 1) * pick(random, 1, 9), random);
            const auto floats = size_t(tvw::cpu::global_mean_scratch_floats(n, c));
            auto scratch = hwy::AllocateAligned<float>(floats + 1);
            scratch[floats] = kCanary;
            std::vector<float> mean(size_t(n * c) + 1, kCanary), again = mean;
            tvw::cpu::global_mean(x.view(), mean.data(), scratch.get());
            tvw::cpu::global_mean(x.view(), again.data(), scratch.get());
            ck_assert(mean == again && mean.back() == kCanary && scratch[floats] == kCanary);
            for (int64_t k = 0; k < n * c; k++)
                assert_close(mean[size_t(k)],
                             reference(x.view(), k / c, {0, h}, {0, w}, k % c).sum / double(h * w),
                             "mean");
        }
    });
}
END_TEST

START_TEST(scale_multiplies_by_image_and_channel) {
    on_every_target([](Generator &random) {
        for (int i = 0; i < 30; i++) {
            const std::array<int64_t, 4> shape{pick(random, 1, 2), pick(random, 1, 20),
                                               pick(random, 1, 20), pick(random, 1, 150)};
            const Owned x(shape, pick(random, 0, 3), random);
            const std::vector<float> scale = random_floats(random, shape[0] * shape[3]);
            const auto of = [&](int64_t n, int64_t j, int64_t k, int64_t c) {
                return double(x.view().at(n, j, k)[c]) * double(scale[size_t(n * shape[3] + c)]);
            };
            Owned y(shape, pick(random, 0, 3));
            tvw::cpu::scale_channels(x.view(), scale.data(), y.image());
            assert_image(y, of, "scaled");
            Owned in_place = x;
            tvw::cpu::scale_channels(in_place.view(), scale.data(), in_place.image());
            assert_image(in_place, of, "scaled in place");
        }
    });
}
END_TEST

int main() {
    return tvw::test::run_suite(
        "cpu pooling",
        {max_pool_agrees_with_the_reference, max_pool_keeps_nan_and_infinity,
         average_pool_divides_by_the_whole_window, adaptive_pool_divides_the_image_as_pytorch,
         global_mean_agrees_with_the_reference_and_with_itself,
         scale_multiplies_by_image_and_channel});
}
