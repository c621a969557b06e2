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

/// What an observer makes of its range; not yet known to make sense.
struct ObservedAffine {
    float scale = 1;
    float zero_point = 0;
};
ObservedAffine activation_affine(const Scope &fake_quantize);
/// The keys of an observer whose range is fixed; older files lack them.
void expect_fixed_range(const Scope &fake_quantize);
/// A convolution or linear layer, its batch norm "bn" folded in where `norm_eps` is given.
/// Error(kMismatch) where that gives no finite numbers.
QuantizedLayer aware_layer(const Scope &s, const Shape &weight, std::optional<double> norm_eps);

} // namespace tvw::nn
