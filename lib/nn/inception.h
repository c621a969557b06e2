// SPDX-License-Identifier: LGPL-2.1-or-later
// What GoogLeNet and Inception v3 have in common.
#pragma once

#include "nn/builder.h"

namespace tvw::nn {

/// Convolution "conv", batch norm "bn", ReLU.
Value basic_conv(const Scope &s, Value x, int64_t out_channels, const ConvOptions &options = {});

/// From the usual normalisation to the one their checkpoints were trained with: every channel by
/// mean and deviation 0.5.
Value transform_inception_input(Value x);

/// A value of known shape that leads nowhere, as the network's own are: auxiliary heads hold
/// parameters, but only training runs them.
Value stand_in(const Scope &s, const Shape &shape);

/// Hooks::reduce: only who asks for them keeps the auxiliary heads of a published checkpoint.
void drop_auxiliary_heads(Arguments &arguments, const Arguments &given);

} // namespace tvw::nn
