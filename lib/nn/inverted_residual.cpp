// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/inverted_residual.h"

namespace tvw::nn {

Value inverted_residual(const Scope &s, Value x, const InvertedResidual &block) {
    int64_t child = 0;
    if (block.expanded_channels != x.channels())
        x = conv_norm_activation(s / child++, x, block.expanded_channels, {}, block.activation,
                                 block.eps);
    x = conv_norm_activation(s / child++, x, block.expanded_channels,
                             {.kernel = block.kernel,
                              .stride = block.stride,
                              .dilation = block.dilation,
                              .groups = block.expanded_channels,
                              .tf_same = block.tf_same},
                             block.activation, block.eps);
    if (block.squeeze_channels != 0)
        x = squeeze_excitation(s / child++, x, block.squeeze_channels, block.squeeze_activation,
                               block.squeeze_gate);
    return conv_norm_activation(s / child, x, block.out_channels, {}, std::nullopt, block.eps);
}

} // namespace tvw::nn
