// SPDX-License-Identifier: LGPL-2.1-or-later
// The checkpoints of a classifier and how good they are: accuracy [BUILDER], "resnet50" by default.
// Needs the small library alone (tvw-core).
#include <tvw/error.h>
#include <tvw/weights.h>

#include <iomanip>
#include <iostream>
#include <string>

namespace {

/// "25,557,032"
std::string with_commas(int64_t number) {
    std::string text = std::to_string(number);
    for (size_t at = text.size(); at > 3;) {
        at -= 3;
        text.insert(at, ",");
    }
    return text;
}

void print(const tvw::Weights &weights) {
    const tvw::Meta &meta = weights.meta();
    const auto &metrics = meta.metrics.at("ImageNet-1K");
    std::cout << weights << "\n  acc@1=" << metrics.at("acc@1") << "  acc@5=" << metrics.at("acc@5")
              << "  params=" << with_commas(meta.num_params.value())
              << "  size=" << meta.file_size.value() << " MB\n";
}

} // namespace

int main(int argc, char **argv) {
    try {
        std::cout << std::setprecision(9); // all that torchvision publishes
        for (const tvw::Weights &weights : tvw::get_model_weights(argc > 1 ? argv[1] : "resnet50"))
            print(weights);
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
