// SPDX-License-Identifier: LGPL-2.1-or-later
// tvw preprocess: the tensor that a checkpoint's model would get for a picture.
#include "command.h"
#include "json.h"

#include <tvw/checkpoint.h>
#include <tvw/error.h>
#include <tvw/io.h>
#include <tvw/transforms.h>
#include <tvw/weights.h>

#include <fmt/format.h>

#include <memory>
#include <string>

namespace tvw::cli {
namespace {

struct PreprocessOptions {
    std::string weights;
    std::string output;
    std::string file;
};

const ImageClassification &preset_of(const Weights &weights) {
    const auto *preset = std::get_if<ImageClassification>(&weights.transforms());
    if (preset == nullptr) {
        throw Error(ErrorKind::kNotSupported,
                    fmt::format("{} preprocesses with {}; only ImageClassification is there",
                                weights.name(), preset_name(weights.transforms())));
    }
    return *preset;
}

void preprocess(const PreprocessOptions &options, const Context &context) {
    Preprocessor preprocessor(preset_of(find_weights(options.weights)));
    const HostTensor picture = io::decode_image(options.file, io::ImageReadMode::kRGB);
    Shape shape = preprocessor.output_shape();
    shape.insert(shape.begin(), 1);
    HostTensor input = HostTensor::zeros(DType::kFloat32, shape);
    preprocessor.run(io::rgb_view(picture), input.mutable_values<float>());
    save_safetensors(options.output, {{"input", input}});
    if (context.json) {
        fmt::print(
            "{}\n",
            dump({{"name", "input"}, {"dtype", dtype_name(input.dtype())}, {"shape", shape}}));
    } else {
        fmt::print("input: {} {}\n", dtype_name(input.dtype()), shape_text(shape));
    }
}

} // namespace

void add_preprocess(CLI::App &app, Context &context) {
    auto options = std::make_shared<PreprocessOptions>();
    CLI::App *command = add_command(app, context, "preprocess",
                                    "Write the tensor that a model would get for a picture");
    command
        ->add_option("--weights", options->weights,
                     "Enum.MEMBER, a builder's name, or a descriptor")
        ->required();
    command->add_option("--output", options->output, "The safetensors file to write")->required();
    command->add_option("file", options->file, "A picture")->required();
    command->callback([options, &context] { preprocess(*options, context); });
}

} // namespace tvw::cli
