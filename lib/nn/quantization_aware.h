// SPDX-License-Identifier: LGPL-2.1-or-later
// Checkpoints of quantization-aware training hold float weights and, for each value, the range that
// an observer saw. They are converted here as torch.ao.quantization.convert does, to the bit.
#pragma once

#include "nn/scope.h"

#include <optional>

namespace tvw::nn {

/// What LibTorch packs: weight qint8 and bias float32.
struct QuantizedLayer {
    HostTensor weight;
    HostTensor bias;
};

/// From the observer of a result, at its path.
Affine activation_affine(const Scope &fake_quantize);
/// The keys of an observer whose range is fixed; files from before torchvision 0.14 lack them.
void expect_fixed_range(const Scope &fake_quantize);
/// A convolution or linear layer, its batch norm "bn" folded in where `norm_eps` is given.
QuantizedLayer aware_layer(const Scope &s, const Shape &weight, std::optional<double> norm_eps);

} // namespace tvw::nn
