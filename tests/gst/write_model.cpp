// SPDX-License-Identifier: LGPL-2.1-or-later
// Writes the model that the element's tests run into a folder: a small network whose answer depends
// on the colours of its input, and checkpoints of it that are broken in one layer.
#include <tvw/checkpoint.h>
#include <tvw/engine.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

namespace {

constexpr char kBuilder[] = "mobilenet_v3_small";
constexpr char kDescriptor[] = R"({
  "builder": "mobilenet_v3_small",
  "arguments": {"num_classes": 10},
  "checkpoint": "model.safetensors",
  "categories": ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay"],
  "transforms": {"preset": "ImageClassification", "crop_size": 32, "resize_size": 32}
}
)";
constexpr char kFirstLayer[] = "features.0.0.weight";

/// Layers neither fade nor grow. The last ones say loudly how little of the input is left by then;
/// were the others louder, the answer would turn over at the slightest change of a pixel.
constexpr float kClassifierGain = 25;

float deviation_of(const tvw::ParameterSpec &spec) {
    const float fan_in = float(tvw::numel(spec.shape)) / float(spec.shape.front());
    return std::sqrt(2 / fan_in) * (spec.key.starts_with("classifier") ? kClassifierGain : 1);
}

tvw::HostTensor tensor_for(const tvw::ParameterSpec &spec, std::mt19937 &random) {
    auto tensor = tvw::HostTensor::zeros(spec.dtype, spec.shape);
    if (spec.dtype != tvw::DType::kFloat32)
        return tensor;
    const auto values = tensor.mutable_values<float>();
    if (spec.shape.size() > 1) {
        std::normal_distribution<float> distribution(0, deviation_of(spec));
        std::ranges::generate(values, [&] { return distribution(random); });
    } else if (spec.key.ends_with("weight") || spec.key.ends_with("running_var")) {
        std::ranges::fill(values, 1.0F);
    }
    return tensor;
}

std::vector<tvw::NamedTensor> state_dict() {
    std::mt19937 random(1);
    std::vector<tvw::NamedTensor> result;
    for (const auto &spec :
         tvw::engine_library().parameters(kBuilder, {{"num_classes", int64_t{10}}}))
        result.push_back({spec.key, tensor_for(spec, random)});
    return result;
}

void fill_first_layer(std::vector<tvw::NamedTensor> &tensors, float value) {
    for (auto &[name, tensor] : tensors) {
        if (name == kFirstLayer)
            std::ranges::fill(tensor.mutable_values<float>(), value);
    }
}

void write(const std::filesystem::path &folder) {
    std::ofstream(folder / "model.json") << kDescriptor;
    auto tensors = state_dict();
    tvw::save_safetensors(folder / "model.safetensors", tensors);
    fill_first_layer(tensors, std::numeric_limits<float>::quiet_NaN());
    tvw::save_safetensors(folder / "nan.safetensors", tensors);
    // Finite itself, and for a frame of zeros; any other frame overflows.
    fill_first_layer(tensors, 1e38F);
    tvw::save_safetensors(folder / "overflow.safetensors", tensors);
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    try {
        write(argv[1]);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
