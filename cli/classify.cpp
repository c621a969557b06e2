// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw classify: what is in pictures and videos.
#include "command.h"
#include "interrupt.h"
#include "video.h"

#include <tvw/classifier.h>
#include <tvw/error.h>
#include <tvw/hub.h>
#include <tvw/io.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace tvw::cli {
namespace {

struct ClassifyOptions {
    ClassifierConfig config;
    int top_k = 5;
    double threshold = 0;
    std::vector<std::string> files;
};

void print(const Classification &result, bool json) {
    if (json) {
        fmt::print("{}\n", to_json(result));
    } else {
        const std::string time =
            result.pts_ns ? fmt::format(" {:.3f} s", double(*result.pts_ns) / 1e9) : "";
        for (const Prediction &prediction : result.predictions) {
            fmt::print("{}{}: {} {:.1f} %\n", result.source, time,
                       prediction.label.empty() ? fmt::format("class {}", prediction.class_id)
                                                : prediction.label,
                       100 * prediction.probability);
        }
    }
    // Whoever reads a pipe wants each frame's line when it is there.
    std::fflush(stdout);
}

/// Spares reading a film only to find that it is no picture.
bool has_video_name(const std::string &file) {
    constexpr std::array<std::string_view, 10> kVideo = {".avi", ".flv",  ".m4v", ".mkv", ".mov",
                                                         ".mp4", ".mpeg", ".mpg", ".ogv", ".webm"};
    std::string extension = std::filesystem::path(file).extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    return std::find(kVideo.begin(), kVideo.end(), extension) != kVideo.end();
}

/// The picture in a file; none where it is something else and videos can be tried.
std::optional<HostTensor> read_picture(const std::string &file) {
    if (has_video_name(file))
        return std::nullopt;
    try {
        return io::decode_image(file, io::ImageReadMode::kRGB);
    } catch (const Error &error) {
        if (error.kind() != ErrorKind::kCorruptFile || !video_supported())
            throw;
        return std::nullopt;
    }
}

/// The classifier itself never downloads.
void fetch_if_missing(const ClassifierConfig &config) {
    const Weights weights = find_weights(config.weights);
    std::error_code ignored;
    if (config.checkpoint || std::filesystem::exists(checkpoint_path(weights), ignored))
        return;
    interruptible(
        [&weights] { return fetch_checkpoint(weights, {.progress = InterruptGuard::progress()}); });
}

void classify(const ClassifyOptions &options, const Context &context) {
    fetch_if_missing(options.config);
    const auto show = [&context](const Classification &result) { print(result, context.json); };
    std::unique_ptr<Classifier> classifier; // videos bring their own
    for (const std::string &file : options.files) {
        const std::optional<HostTensor> picture = read_picture(file);
        if (!picture) {
            classify_video(file, {options.config, options.top_k, options.threshold}, show);
            continue;
        }
        if (!classifier)
            classifier = std::make_unique<Classifier>(options.config);
        show({file, std::nullopt, classifier->weights().name(), classifier->digest(),
              classifier->classify(io::rgb_view(*picture), options.top_k, options.threshold)});
    }
}

} // namespace

void add_classify(CLI::App &app, Context &context) {
    auto options = std::make_shared<ClassifyOptions>();
    CLI::App *command = add_command(app, context, "classify", "Say what is in pictures and videos");
    command
        ->add_option("--weights", options->config.weights,
                     "Enum.MEMBER, a builder's name, or a descriptor")
        ->required();
    command->add_option("--checkpoint", options->config.checkpoint,
                        "A file to load instead of the cached one");
    command->add_option("--top-k", options->top_k, "Predictions a picture")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--threshold", options->threshold, "Least probability shown")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    command->add_option("--device", options->config.device, "auto, cpu or cuda:N")
        ->capture_default_str();
    command->add_option("--precision", options->config.precision, "fp32, tf32, fp16 or bf16")
        ->capture_default_str();
    command->add_option("--threads", options->config.threads, "0: one per CPU")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command
        ->add_option_function<std::string>(
            "--preprocess",
            [options](const std::string &name) {
                options->config.preprocess = parse_preprocess_mode(name);
            },
            "exact, or fast for videos")
        ->default_str("exact");
    command->add_option("files", options->files, "Pictures or videos")->required();
    command->callback([options, &context] { classify(*options, context); });
}

} // namespace tvw::cli
