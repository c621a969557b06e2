// SPDX-License-Identifier: LGPL-2.1-or-later
// How layers draw their parameters when there is no checkpoint: the schemes of torch.nn.init that
// torchvision's constructors use. The distributions are theirs, the random numbers our own.
#pragma once

#include <tvw/tensor.h>

namespace tvw::nn {

enum class Init {
    kZeros,
    kOnes,
    kDefaultWeight,       ///< torch's own for convolutions and linear layers: U(±1/√fan_in)
    kDefaultBias,         ///< the same bound, from the fan_in of the layer's weight
    kKaimingNormalFanOut, ///< N(0, √(2 / fan_out)); He et al. 2015, arXiv:1502.01852
    kNormal001,           ///< N(0, 0.01)
    kUniformFanOut,       ///< U(±1/√out_features)
};

/// What one parameter is drawn from.
struct Distribution {
    enum class Kind { kConstant, kNormal, kUniform } kind = Kind::kConstant;
    double scale = 0; ///< the constant, the standard deviation, or the bound
};

/// `weight` is the shape of the layer's weight, [out, in, …], also for its bias.
Distribution distribution(Init init, const Shape &weight);

} // namespace tvw::nn
