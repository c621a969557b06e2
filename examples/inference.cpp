// SPDX-License-Identifier: LGPL-2.1-or-later
// What is in a picture: inference [FILE], "photo.jpg" by default. Needs libtvw and LibTorch.
#include <tvw/io.h>
#include <tvw/models.h>

#include <ATen/ATen.h>

#include <iostream>

namespace {

void print(const tvw::Meta &meta) {
    for (size_t i = 0; i < 5; ++i)
        std::cout << (i == 0 ? "['" : "', '") << meta.categories->at(i);
    std::cout << "']\n";
    const auto &metrics = meta.metrics.at("ImageNet-1K");
    std::cout << "{'ImageNet-1K': {'acc@1': " << metrics.at("acc@1")
              << ", 'acc@5': " << metrics.at("acc@5") << "}}\n"
              << meta.num_params.value() << '\n';
}

void classify(const char *file) {
    // 1. Choose weights and build the model.
    const auto weights = tvw::ResNet50_Weights::IMAGENET1K_V2;
    tvw::Model model = tvw::resnet50({.weights = weights});
    model.eval();

    // 2. The preprocessing that belongs to this checkpoint.
    const tvw::Transforms &preprocess = weights.transforms();
    std::cout << preprocess << '\n';

    // 3. What is known before anything runs.
    const tvw::Meta &meta = weights.meta();
    print(meta);

    // 4. Run.
    const at::Tensor image = tvw::io::decode_image(file);
    const at::Tensor batch = preprocess(image).unsqueeze(0);
    const at::Tensor prediction = model(batch).squeeze(0).softmax(0);
    const auto class_id = prediction.argmax().item<int64_t>();
    const auto score = prediction[class_id].item<double>();
    std::cout << meta.categories->at(size_t(class_id)) << std::fixed;
    std::cout.precision(1);
    std::cout << ": " << 100 * score << "%\n";
}

} // namespace

int main(int argc, char **argv) {
    try {
        classify(argc > 1 ? argv[1] : "photo.jpg");
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
