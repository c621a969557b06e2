// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets a test call the API as a program would. Tensors travel in safetensors files.
#include "support/answer_lines.h"

#include <tvw/models.h>

#include <optional>
#include <sstream>

namespace {

using tvw::test::Json;

std::string text_at(const Json &arguments, size_t index) {
    return arguments.at(index).get<std::string>();
}

/// The tensors of a file by name.
tvw::Model::NamedTensors read(const std::string &file) {
    tvw::Model::NamedTensors tensors;
    const tvw::Checkpoint checkpoint = tvw::load_checkpoint(file);
    for (const auto &[key, value] : checkpoint.state_dict.entries())
        tensors.emplace_back(key, std::get<tvw::HostTensor>(value));
    return tensors;
}

/// The way back: contiguous float32, or int64.
tvw::HostTensor host_tensor(const at::Tensor &tensor) {
    const bool integers = tensor.scalar_type() == at::kLong;
    tvw::HostTensor result = tvw::HostTensor::zeros(
        integers ? tvw::DType::kInt64 : tvw::DType::kFloat32, tensor.sizes().vec());
    at::Tensor(result).copy_(tensor);
    return result;
}

void write(const std::string &file, const tvw::Model::NamedTensors &tensors) {
    std::vector<tvw::NamedTensor> copies;
    for (const auto &[key, tensor] : tensors)
        copies.push_back({key, host_tensor(tensor)});
    tvw::save_safetensors(file, copies);
}

tvw::TransformsOverride override_of(const Json &given) {
    tvw::TransformsOverride result;
    for (const auto &[key, value] : given.items()) {
        if (key == "crop_size")
            result.crop_size = value.get<std::vector<int64_t>>();
        else if (key == "resize_size")
            result.resize_size = value.get<std::vector<int64_t>>();
        else if (key == "mean")
            result.mean = value.get<std::vector<double>>();
        else if (key == "std")
            result.std = value.get<std::vector<double>>();
        else if (key == "interpolation")
            result.interpolation = value == "nearest" ? tvw::InterpolationMode::kNearest
                                                      : tvw::InterpolationMode::kBicubic;
        else
            result.antialias = value.get<bool>();
    }
    return result;
}

/// weights, parameters to override, input, output, dtype of the results: every tensor of the input
Json transform(const Json &arguments) {
    const auto transforms =
        tvw::get_weight(text_at(arguments, 0)).transforms(override_of(arguments.at(1)));
    tvw::Model::NamedTensors results;
    Json dtypes = Json::object();
    for (const auto &[name, tensor] : read(text_at(arguments, 2))) {
        // As a decoder leaves pictures, which LibTorch resamples by other code.
        const bool interleaved = name.starts_with("interleaved");
        const at::Tensor result = transforms(interleaved ? tensor.permute({2, 0, 1}) : tensor);
        dtypes[name] = c10::toString(result.scalar_type());
        results.emplace_back(name, result);
    }
    write(text_at(arguments, 3), results);
    return dtypes;
}

/// weights, input with "first" and "second", output
Json transform_pair(const Json &arguments) {
    const auto frames = read(text_at(arguments, 1));
    const auto [first, second] = tvw::get_weight(text_at(arguments, 0))
                                     .transforms()(frames.at(0).second, frames.at(1).second);
    write(text_at(arguments, 2), {{"first", first}, {"second", second}});
    return first.is_contiguous() && second.is_contiguous();
}

/// The model that the calls below are about.
std::optional<tvw::Model> model;

/// builder; weights: null, a string, ["full name of a member"] or {"descriptor": file};
/// "name=value"...
Json build(const Json &arguments) {
    tvw::ModelOptions options;
    const Json &weights = arguments.at(1);
    if (weights.is_string())
        options.weights = weights.get<std::string>();
    else if (weights.is_array())
        options.weights = tvw::get_weight(text_at(weights, 0));
    else if (weights.is_object())
        options.weights = tvw::load_descriptor(weights.at("descriptor").get<std::string>());
    for (size_t i = 2; i < arguments.size(); ++i)
        options.arguments.insert(tvw::parse_argument(text_at(arguments, i)));
    model = tvw::get_model(text_at(arguments, 0), options);
    return {{"name", model->name()}, {"num_params", model->num_params()}};
}

/// input, output
Json run(const Json &arguments) {
    write(text_at(arguments, 1), {{"output", (*model)(read(text_at(arguments, 0)).at(0).second)}});
    return nullptr;
}

/// output, or null: [key, dtype, shape]...
Json state_dict(const Json &arguments) {
    Json entries = Json::array();
    const auto tensors = model->state_dict();
    for (const auto &[key, tensor] : tensors)
        entries.push_back({key, c10::toString(tensor.scalar_type()), tensor.sizes().vec()});
    if (!arguments.at(0).is_null())
        write(text_at(arguments, 0), tensors);
    return entries;
}

/// file, "tensors" or "state_dict"
Json load_state_dict(const Json &arguments) {
    const std::string file = text_at(arguments, 0);
    if (text_at(arguments, 1) == "tensors")
        model->load_state_dict(read(file));
    else
        model->load_state_dict(tvw::load_checkpoint(file).state_dict);
    return nullptr;
}

/// key, value
Json fill(const Json &arguments) {
    for (const auto &[key, tensor] : model->state_dict()) {
        if (key == text_at(arguments, 0))
            tensor.fill_(arguments.at(1).get<double>());
    }
    return nullptr;
}

Json print(const Json & /*none*/) {
    std::ostringstream text;
    text << *model;
    return text.str();
}

Json manual_seed(const Json &arguments) {
    tvw::manual_seed(arguments.at(0).get<uint64_t>());
    return nullptr;
}

} // namespace

int main() {
    tvw::test::answer_lines({
        {"transform", transform},
        {"transform_pair", transform_pair},
        {"build", build},
        {"run", run},
        {"state_dict", state_dict},
        {"load_state_dict", load_state_dict},
        {"fill", fill},
        {"print", print},
        {"manual_seed", manual_seed},
    });
    return 0;
}
