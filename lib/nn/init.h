// SPDX-License-Identifier: LGPL-2.1-or-later
// How layers draw their parameters when there is no checkpoint: the schemes of torch.nn.init that
// torchvision's constructors use. The distributions are theirs, the random numbers our own.
#pragma once

#include <tvw/tensor.h>

namespace tvw::nn {

/// What one parameter is drawn from.
struct Distribution {
    enum class Kind {
        kConstant,
        kNormal,
        kUniform,
        kNone, ///< only calibration or training can tell
    } kind = Kind::kConstant;
    double scale = 0; ///< the constant, the standard deviation, or the bound
};

/// A distribution whose scale may depend on the layer: √(value / fan), or value itself.
struct Init {
    Distribution::Kind kind;
    enum class Fan { kNone, kIn, kOut, kSum } fan;
    double value;

    /// torch.nn.init.normal_, and trunc_normal_: its bounds of ±2 lie a hundred deviations away.
    static constexpr Init normal(double deviation) {
        return {Distribution::Kind::kNormal, Fan::kNone, deviation};
    }
    static constexpr Init constant(double value) {
        return {Distribution::Kind::kConstant, Fan::kNone, value};
    }

    /// torch's own for convolutions and linear layers, weight and bias alike.
    static const Init kDefault;
    static const Init kZeros;
    static const Init kOnes;
    // He et al. 2015, arXiv:1502.01852.
    static const Init kKaimingNormalFanIn;
    static const Init kKaimingNormalFanOut;
    static const Init kKaimingUniform;
    /// Glorot and Bengio 2010.
    static const Init kXavierUniform;
};

inline constexpr Init Init::kDefault{Distribution::Kind::kUniform, Fan::kIn, 1};
inline constexpr Init Init::kZeros = Init::constant(0);
inline constexpr Init Init::kOnes = Init::constant(1);
inline constexpr Init Init::kKaimingNormalFanIn{Distribution::Kind::kNormal, Fan::kIn, 2};
inline constexpr Init Init::kKaimingNormalFanOut{Distribution::Kind::kNormal, Fan::kOut, 2};
inline constexpr Init Init::kKaimingUniform{Distribution::Kind::kUniform, Fan::kIn, 6};
inline constexpr Init Init::kXavierUniform{Distribution::Kind::kUniform, Fan::kSum, 6};

/// `weight` is the shape of the layer's weight, [out, in, …], also for its bias.
Distribution distribution(const Init &init, const Shape &weight);

} // namespace tvw::nn
