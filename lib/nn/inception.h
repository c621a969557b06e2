// SPDX-License-Identifier: LGPL-2.1-or-later
// What GoogLeNet and Inception v3 have in common.
#pragma once

#include "nn/layers.h"

namespace tvw::nn {

/// Convolution "conv", batch norm "bn", ReLU.
Value basic_conv(const Scope &s, Value x, int64_t out_channels, const ConvOptions &options = {});

/// From the usual normalisation to the one their checkpoints were trained with: every channel by
/// mean and deviation 0.5.
Value transform_inception_input(Value x);

/// A value of known shape that leads nowhere: auxiliary heads hold parameters, but only training
/// runs them.
Value stand_in(Graph &graph, const Shape &shape);

} // namespace tvw::nn
