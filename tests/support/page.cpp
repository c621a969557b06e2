// SPDX-License-Identifier: LGPL-2.1-or-later
// The examples of torchvision's page on the Multi-Weight API, in C++: page EXAMPLE prints what the
// Python original prints. tests/parity/test_page.py holds the originals and compares.
#include <tvw/error.h>
#include <tvw/io.h>
#include <tvw/models.h>

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <iostream>
#include <map>
#include <string>

namespace {

using Json = nlohmann::ordered_json;

/// As Python prints it; none of the texts here needs escapes.
std::string python(const Json &value) {
    std::string text;
    const auto item = [&](const std::string &part) { text += (text.empty() ? "" : ", ") + part; };
    if (value.is_string())
        return "'" + value.get<std::string>() + "'";
    if (value.is_object()) {
        for (const auto &[key, part] : value.items())
            item("'" + key + "': " + python(part));
        return "{" + text + "}";
    }
    if (value.is_array()) {
        for (const Json &part : value)
            item(python(part));
        return "[" + text + "]";
    }
    return value.dump();
}

std::vector<std::string> first_five(const tvw::Labels &labels) {
    return {labels->begin(), labels->begin() + 5};
}

void weights_enum() {
    std::string members;
    for (const auto member : tvw::ResNet50_Weights::members())
        members += fmt::format("{}{}", members.empty() ? "" : ", ", member.name());
    std::cout << "[" << members << "]\n";
    std::cout << tvw::ResNet50_Weights::DEFAULT << "\n";
    std::cout << tvw::ResNet50_Weights::IMAGENET1K_V1 << "\n";
    std::cout << tvw::ResNet50_Weights::IMAGENET1K_V2 << "\n";
}

/// Something to look at: the originals print nothing.
at::Tensor answer(const tvw::Model &model) {
    return model(at::full({1, 3, 64, 64}, 0.25));
}

void load_a_model() {
    const auto weights = tvw::ResNet50_Weights::IMAGENET1K_V2;
    auto model = tvw::resnet50({.weights = weights});
    model.eval();
    std::cout << fmt::format("{:.4f}\n", answer(model)[0][7].item<float>());
}

void string_shorthands() {
    const auto a = answer(tvw::resnet50({.weights = tvw::ResNet50_Weights::IMAGENET1K_V2}));
    const auto b = answer(tvw::resnet50({.weights = "IMAGENET1K_V2"}));
    const auto c = answer(tvw::resnet50({.weights = "DEFAULT"}));
    std::cout << (at::equal(a, b) && at::equal(b, c) ? "True" : "False") << "\n";
}

void no_weights() {
    const auto model = tvw::resnet50({.weights = std::nullopt});
    std::cout << model.num_params() << "\n";
}

void pretrained() {
    try {
        tvw::resnet50({.arguments = {{"pretrained", true}}});
    } catch (const tvw::Error &error) {
        std::cout << error.what() << "\n";
    }
}

void transforms() {
    const auto weights = tvw::ResNet50_Weights::IMAGENET1K_V2;
    const tvw::Transforms &preprocess = weights.transforms();
    std::cout << preprocess << "\n";
}

void meta() {
    const auto weights = tvw::ResNet50_Weights::IMAGENET1K_V2;
    const tvw::Meta &meta = weights.meta();
    const Json raw = Json::parse(tvw::Weights(weights).meta_json());
    std::cout << python(first_five(meta.categories)) << "\n";
    std::cout << python(raw["_metrics"]) << "\n";
    std::cout << *meta.num_params << "\n";
    std::cout << fmt::format("{}\n", *meta.min_size);
    std::cout << python(*meta.recipe) << "\n";
    for (const auto &[key, value] : raw.items())
        std::cout << key << "\n";
}

void weights_of_a_model() {
    const tvw::WeightsEnum &weights_enum = tvw::get_model_weights("resnet50");
    std::cout << weights_enum << "\n";
    for (const tvw::Weights &w : weights_enum) {
        const double acc = w.meta().metrics.at("ImageNet-1K").at("acc@1");
        std::cout << w << "  —  acc@1: " << acc << "%\n";
    }
    const tvw::WeightsEnum &weights_enum2 = tvw::get_model_weights(tvw::resnet50);
    std::cout << (weights_enum == weights_enum2 ? "True" : "False") << "\n";
}

void weight_by_name() {
    auto weights = tvw::get_weight("ResNet50_Weights.DEFAULT");
    std::cout << weights << "\n";
    const auto quant_weights = tvw::get_weight("ResNet50_QuantizedWeights.DEFAULT");
    std::cout << quant_weights << "\n";

    weights = tvw::get_weight("ResNet50_Weights.IMAGENET1K_V2");
    auto model = tvw::get_model("resnet50", {.weights = weights});
    const tvw::Transforms &preprocess = weights.transforms();
    std::cout << preprocess << "\n";
    model.eval();
    std::cout << fmt::format("{:.4f}\n", answer(model)[0][7].item<float>());
}

const std::map<std::string, void (*)()> &examples() {
    static const std::map<std::string, void (*)()> table = {
        {"weights_enum", weights_enum},
        {"load_a_model", load_a_model},
        {"string_shorthands", string_shorthands},
        {"no_weights", no_weights},
        {"pretrained", pretrained},
        {"transforms", transforms},
        {"meta", meta},
        {"weights_of_a_model", weights_of_a_model},
        {"weight_by_name", weight_by_name},
    };
    return table;
}

} // namespace

int main(int argc, char **argv) {
    examples().at(argc > 1 ? argv[1] : "")();
    return 0;
}
