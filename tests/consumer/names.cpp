// SPDX-License-Identifier: LGPL-2.1-or-later
// A program that knows the registry alone: no LibTorch to compile or to run.
#include <tvw/weights_enums.h>

#include <iostream>
#include <string>
#include <vector>

int main() {
    const std::vector<std::string> swin = {"swin*"};
    for (const std::string &name : tvw::list_models("classification", swin))
        std::cout << name << '\n';
    for (const tvw::Weights &weights : tvw::get_model_weights("resnet50"))
        std::cout << weights << '\n';
    std::cout << tvw::ResNet50_Weights::DEFAULT.transforms() << '\n';
}
