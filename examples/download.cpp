// SPDX-License-Identifier: LGPL-2.1-or-later
// Fetches a checkpoint into PyTorch's cache, or where TORCH_HOME says, ahead of its first use: a
// step of building a container, say. Needs the small library alone (tvw-core).
#include <tvw/checkpoint.h>
#include <tvw/error.h>
#include <tvw/progress.h>
#include <tvw/weights_enums.h>

#include <iostream>

int main() {
    try {
        const tvw::StateDict state_dict =
            tvw::ResNet50_Weights::DEFAULT.get_state_dict(tvw::progress_bar());
        std::cout << state_dict.size() << " tensors\n";
    } catch (const tvw::Error &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
