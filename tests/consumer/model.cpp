// SPDX-License-Identifier: LGPL-2.1-or-later
// A program that runs a model. It uses the system's {fmt} beside LibTorch, which brings headers of
// another version: with those, this would not link.
#include <tvw/models.h>

#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>

int main() {
    tvw::manual_seed(0);
    tvw::Model model = tvw::resnet18();
    const at::Tensor output = model.eval()(at::ones({2, 3, 64, 64}));
    const std::string text = fmt::format("{}: {} parameters, output {}x{}\n", model.name(),
                                         model.num_params(), output.size(0), output.size(1));
    std::fputs(text.c_str(), stdout);
}
