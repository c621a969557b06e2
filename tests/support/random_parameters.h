// SPDX-License-Identifier: LGPL-2.1-or-later
// Parameters for any network that let every part of it show in the answer: torchvision's own
// initialisation has heads and layer scales that are zero or nearly so.
#pragma once

#include <tvw/checkpoint.h>
#include <tvw/engine.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>
#include <string_view>
#include <variant>
#include <vector>

namespace tvw::test {

/// Mean and deviation of what stands under a key.
struct Spread {
    float mean = 0;
    float deviation = 0;
};

inline Spread spread_of(const ParameterSpec &spec) {
    const std::string_view key = spec.key;
    if (key.ends_with("running_var"))
        return {1, 0.1F};
    if (key.find("layer_scale") != std::string_view::npos)
        return {0.5F, 0.1F};
    if (spec.shape.size() < 2)
        return key.ends_with("weight") ? Spread{1, 0.1F} : Spread{0, 0.1F};
    const auto inputs = float(numel(spec.shape) / std::max<int64_t>(spec.shape[0], 1));
    return {0, std::sqrt(2 / std::max(inputs, 1.0F))};
}

/// A checkpoint for these parameters; what is no float32, as indices are, is zero.
inline std::shared_ptr<Checkpoint> random_checkpoint(const std::vector<ParameterSpec> &specs,
                                                     unsigned seed) {
    auto checkpoint = std::make_shared<Checkpoint>();
    std::mt19937 random(seed);
    for (const ParameterSpec &spec : specs) {
        HostTensor tensor = HostTensor::zeros(spec.dtype, spec.shape);
        if (spec.dtype == DType::kFloat32) {
            const Spread spread = spread_of(spec);
            std::normal_distribution<float> normal(spread.mean, spread.deviation);
            for (float &value : tensor.mutable_values<float>())
                value = normal(random);
        }
        checkpoint->state_dict.add(spec.key, tensor);
    }
    return checkpoint;
}

/// Writes that checkpoint.
inline void write_random_checkpoint(const std::filesystem::path &file,
                                    const std::vector<ParameterSpec> &specs, unsigned seed) {
    const auto checkpoint = random_checkpoint(specs, seed);
    std::vector<NamedTensor> tensors;
    for (const auto &[key, value] : checkpoint->state_dict.entries())
        tensors.push_back({key, std::get<HostTensor>(value)});
    save_safetensors(file, tensors);
}

/// [batch, 3, side, side]
inline HostTensor random_images(int64_t batch, int64_t side, unsigned seed) {
    HostTensor images = HostTensor::zeros(DType::kFloat32, {batch, 3, side, side});
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (float &value : images.mutable_values<float>())
        value = normal(random);
    return images;
}

} // namespace tvw::test
