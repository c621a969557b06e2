// SPDX-License-Identifier: LGPL-2.1-or-later
// What the tests of convolutions share: random examples, memory that shows what is used or written
// where nothing may be, and what results must be.
#pragma once

#include "support/suite.h"
#include "support/targets.h"

#include "backends/cpu/kernels/image.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace tvw::test {

inline constexpr unsigned kSeed = 20240607;
inline constexpr float kCanary = -12345.5f;
inline constexpr float kUnset = std::numeric_limits<float>::quiet_NaN();

inline int64_t between(int64_t least, int64_t most, std::mt19937 &random) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
}

inline std::vector<float> numbers(int64_t count, std::mt19937 &random, double deviation = 1) {
    std::normal_distribution<float> normal(0, float(deviation));
    std::vector<float> numbers(static_cast<size_t>(count));
    for (float &number : numbers)
        number = normal(random);
    return numbers;
}

/// Pixels of `channels` numbers that are `pixel` floats apart, and NaN in between. Nothing follows
/// the last one: a sanitizer sees what is read beyond it.
inline std::vector<float> pixels_with_gaps(int64_t count, int64_t channels, int64_t pixel,
                                           std::mt19937 &random) {
    std::vector<float> image = numbers((count - 1) * pixel + channels, random);
    for (int64_t i = 0; i < int64_t(image.size()); ++i)
        if (i % pixel >= channels)
            image[size_t(i)] = kUnset;
    return image;
}

inline double activated(double x, std::optional<op::ActivationKind> kind) {
    if (!kind)
        return x;
    switch (*kind) {
    case op::ActivationKind::kRelu:
        return std::max(x, 0.0);
    case op::ActivationKind::kRelu6:
        return std::clamp(x, 0.0, 6.0);
    case op::ActivationKind::kSilu:
        return x / (1 + std::exp(-x));
    case op::ActivationKind::kSigmoid:
        return 1 / (1 + std::exp(-x));
    case op::ActivationKind::kHardswish:
        return x * std::clamp(x + 3, 0.0, 6.0) / 6;
    case op::ActivationKind::kHardsigmoid:
        return std::clamp(x + 3, 0.0, 6.0) / 6;
    case op::ActivationKind::kGelu:
        return x * (1 + std::erf(x * std::sqrt(0.5))) / 2;
    case op::ActivationKind::kTanh:
        return std::tanh(x);
    case op::ActivationKind::kExp:
        return std::exp(x);
    }
    return x;
}

/// How far pixels lie apart beyond their channels, and what is done to the results.
struct Extra {
    int64_t x_gap, y_gap, residual_gap;
    bool bias, residual, in_place;
    std::optional<op::ActivationKind> activation;
};

inline Extra random_extra(std::mt19937 &random) {
    const auto maybe = [&random] { return between(0, 1, random) == 1; };
    const auto gap = [&] { return maybe() ? between(1, 20, random) : 0; };
    Extra extra{};
    extra.x_gap = gap();
    extra.y_gap = gap();
    extra.residual_gap = gap();
    extra.bias = maybe();
    extra.residual = maybe();
    extra.in_place = extra.residual && maybe();
    const int64_t kind = between(-1, int64_t(op::ActivationKind::kExp), random);
    if (kind >= 0)
        extra.activation = op::ActivationKind(kind);
    return extra;
}

/// What a convolution gives before bias and residual are added, and how far it may be off.
struct Expected {
    double sum;
    double error;
};

/// The results of a convolution: what is added to them and done with them, and the memory that they
/// are written to.
class Results {
public:
    Results(int64_t pixels, int64_t channels, const Extra &extra, std::mt19937 &random)
        : channels_(channels),
          e_(extra),
          y_pixel_(channels + extra.y_gap),
          residual_pixel_(extra.in_place ? y_pixel_ : channels + extra.residual_gap),
          bias_(numbers(channels, random)),
          residual_(pixels_with_gaps(pixels, channels, residual_pixel_, random)),
          before_(size_t(pixels * y_pixel_), kCanary) {
        for (int64_t p = 0; e_.in_place && p < pixels; ++p)
            std::copy_n(&residual_[size_t(p * residual_pixel_)], channels,
                        &before_[size_t(p * y_pixel_)]);
    }

    int64_t y_pixel() const { return y_pixel_; }
    /// y as a run is to find it: canaries, and the residual if it lies there.
    const std::vector<float> &before() const { return before_; }

    cpu::Epilogue epilogue(const std::vector<float> &y) const {
        cpu::Epilogue epilogue;
        epilogue.bias = e_.bias ? bias_.data() : nullptr;
        epilogue.residual = !e_.residual ? nullptr : e_.in_place ? y.data() : residual_.data();
        epilogue.residual_pixel = residual_pixel_;
        epilogue.activation = e_.activation;
        return epilogue;
    }

    /// expected: [pixels][channels].
    void check(const std::vector<float> &y, const std::vector<Expected> &expected,
               const std::string &text) const {
        for (int64_t i = 0; i < int64_t(y.size()); ++i) {
            const int64_t pixel = i / y_pixel_;
            const int64_t channel = i % y_pixel_;
            if (channel < channels_)
                check_one(double(y[size_t(i)]), expected[size_t(pixel * channels_ + channel)],
                          pixel, channel, text);
            else if (y[size_t(i)] != kCanary)
                ck_abort_msg("%s: wrote beyond pixel %ld", text.c_str(), long(pixel));
        }
    }

private:
    // Check writes a file at every assertion, which takes longer than these: so `if`.
    void check_one(double y, const Expected &expected, int64_t pixel, int64_t channel,
                   const std::string &text) const {
        double added = e_.bias ? double(bias_[size_t(channel)]) : 0;
        if (e_.residual)
            added += double(residual_[size_t(pixel * residual_pixel_ + channel)]);
        const double wanted = activated(expected.sum + added, e_.activation);
        // All activations but this one hardly change errors.
        const double slope = e_.activation == op::ActivationKind::kExp ? std::max(wanted, 1.0) : 1;
        const double error = (expected.error + 1e-6 * (1 + std::fabs(added))) * slope;
        if (!(std::fabs(y - wanted) <= error))
            ck_abort_msg("%s: pixel %ld channel %ld is %.9g, expected %.9g ± %.2g", text.c_str(),
                         long(pixel), long(channel), y, wanted, error);
    }

    int64_t channels_;
    Extra e_;
    int64_t y_pixel_, residual_pixel_;
    std::vector<float> bias_, residual_, before_;
};

/// Scratch memory as kernels must expect it: what they find there is of no use.
class Scratch {
public:
    explicit Scratch(size_t count) : count_(count), lines_(count / kLine + 2) {
        std::fill_n(data(), count, kUnset);
        std::fill_n(data() + count, kLine, kCanary);
    }

    float *data() { return lines_.front().values; }

    void check(const std::string &text) {
        const float *behind = data() + count_;
        ck_assert_msg(std::all_of(behind, behind + kLine, [](float x) { return x == kCanary; }),
                      "%s: wrote beyond the scratch memory", text.c_str());
    }

private:
    static constexpr size_t kLine = 16;
    struct alignas(64) Line {
        float values[kLine];
    };
    size_t count_;
    std::vector<Line> lines_;
};

/// With one, two, three and five threads the bits must be those of the first run.
template<typename Example>
void check_example(const Example &example) {
    const std::vector<float> first = example.run(1);
    example.check(first);
    for (const int threads : {1, 2, 3, 5}) {
        const std::vector<float> again = example.run(threads);
        ck_assert_msg(std::memcmp(first.data(), again.data(), first.size() * sizeof(float)) == 0,
                      "%s: other bits with %d threads", example.text().c_str(), threads);
    }
}

/// Calls check(random) on every target, always with the same numbers.
template<typename F>
void on_all_targets(const F &check) {
    for_each_target([&](const char * /*name*/) {
        std::mt19937 random(kSeed);
        check(random);
    });
}

/// The target that kernels run on, and the seed: the beginning of what a failed check says.
inline std::string circumstances() {
    return hwy::TargetName(hwy::SupportedTargets()) + (", seed " + std::to_string(kSeed)) + ": ";
}

} // namespace tvw::test
