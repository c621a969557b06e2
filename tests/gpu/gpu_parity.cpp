// SPDX-License-Identifier: LGPL-2.1-or-later
// CUDA against the CPU: a network of every family, in every precision. gpu_parity [DEVICE
// [BUILDER…]]; DEVICE is cuda without it. The CPU's float32 is what is right; errors are parts of
// the largest output. The last line is "N passed, N failed, N skipped".
#include "support/random_parameters.h"

#include "gpu/counts.h"

#include <tvw/engine.h>
#include <tvw/error.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using tvw::Precision;

struct Network {
    const char *builder;
    int64_t side; ///< of the images
};

/// Odd sizes where the family takes them.
constexpr std::array kNetworks = {
    Network{"alexnet", 97},           Network{"convnext_tiny", 97},
    Network{"densenet121", 97},       Network{"efficientnet_b0", 97},
    Network{"efficientnet_v2_s", 97}, Network{"efficientnet_lite0", 96},
    Network{"googlenet", 97},         Network{"inception_v3", 129},
    Network{"maxvit_t", 224},         Network{"mnasnet1_0", 97},
    Network{"mobilenet_v2", 97},      Network{"mobilenet_v3_large", 97},
    Network{"regnet_y_800mf", 97},    Network{"resnet50", 97},
    Network{"resnext50_32x4d", 97},   Network{"shufflenet_v2_x1_0", 97},
    Network{"squeezenet1_1", 97},     Network{"swin_t", 97},
    Network{"swin_v2_t", 97},         Network{"vgg11_bn", 97},
    Network{"vit_b_16", 224},
};

struct Tolerance {
    Precision precision;
    double most;
};
constexpr std::array kTolerances = {
    Tolerance{Precision::kFp32, 1e-3},
    Tolerance{Precision::kTf32, 3e-2},
    Tolerance{Precision::kFp16, 3e-2},
    Tolerance{Precision::kBf16, 2e-1},
};

constexpr unsigned kSeed = 5;
constexpr int64_t kBatch = 3;

std::vector<float> answer(const tvw::EngineConfig &config, const tvw::HostTensor &images) {
    const auto engine = tvw::engine_library().create(config);
    engine->run({{"input", images}}); // a second run is a replayed one
    const auto outputs = engine->run({{"input", images}});
    const auto values = outputs.front().tensor.values<float>();
    return {values.begin(), values.end()};
}

/// Infinite where anything is not a number.
double error_of(const std::vector<float> &values, const std::vector<float> &expected) {
    double worst = 0;
    double largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i]))
            return HUGE_VAL;
        worst = std::max(worst, std::abs(double(values[i]) - double(expected[i])));
        largest = std::max(largest, std::abs(double(expected[i])));
    }
    return worst / largest;
}

void compare(const Network &network, const tvw::Device &device, tvw::test::Counts &counts) {
    tvw::EngineConfig config;
    config.builder = network.builder;
    config.checkpoint =
        tvw::test::random_checkpoint(tvw::engine_library().parameters(network.builder, {}), kSeed);
    const tvw::HostTensor images = tvw::test::random_images(kBatch, network.side, kSeed);
    // The GPU first: LibTorch looks for its CUDA part once, when it first computes.
    std::array<std::vector<float>, kTolerances.size()> answers;
    config.device = device;
    for (size_t i = 0; i < answers.size(); ++i) {
        config.precision = kTolerances[i].precision;
        if (device.type != tvw::Device::Type::kCpu || config.precision == Precision::kFp32)
            answers[i] = answer(config, images);
    }
    config.device = tvw::parse_device("cpu");
    config.precision = Precision::kFp32;
    const std::vector<float> expected = answer(config, images);
    std::printf("%-20s", network.builder);
    for (size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].empty())
            continue;
        const double error = error_of(answers[i], expected);
        const bool good = error <= kTolerances[i].most;
        std::printf("  %s %.1e%s", std::string(precision_name(kTolerances[i].precision)).c_str(),
                    error, good ? " " : "!");
        counts.add(good);
    }
    std::printf("\n");
    std::fflush(stdout);
}

/// A broken checkpoint shows as NaN; a fused ReLU may hide it.
void report_nan(const tvw::Device &device) {
    tvw::EngineConfig config;
    config.builder = "resnet18";
    config.device = device;
    tvw::HostTensor images = tvw::HostTensor::zeros(tvw::DType::kFloat32, {1, 3, 96, 96});
    std::ranges::fill(images.mutable_values<float>(), NAN);
    const bool kept = std::isnan(answer(config, images).front());
    std::printf("NaN in an image is %s\n", kept ? "seen in the answer" : "lost on the way");
}

bool is_chosen(const char *builder, int argc, char **argv) {
    return argc < 3 || std::any_of(argv + 2, argv + argc,
                                   [&](const char *name) { return std::string(name) == builder; });
}

int run(int argc, char **argv) {
    const tvw::Device device = tvw::parse_device(argc > 1 ? argv[1] : "cuda");
    std::printf("seed %u, batch %d\n", kSeed, int(kBatch));
    tvw::test::Counts counts;
    for (const Network &network : kNetworks) {
        if (is_chosen(network.builder, argc, argv))
            compare(network, device, counts);
    }
    report_nan(device);
    return counts.finish();
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const tvw::Error &error) {
        std::fprintf(stderr, "gpu_parity: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
