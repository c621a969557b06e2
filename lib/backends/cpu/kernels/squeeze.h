// SPDX-License-Identifier: LGPL-2.1-or-later
// Squeeze-excitation: how much of each channel passes, from the means of all channels (Hu et al.,
// Squeeze-and-Excitation Networks, https://arxiv.org/abs/1709.01507).
#pragma once

#include "graph/op.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace tvw::cpu {

/// scale = gate(w2 · inner(w1 · mean + b1) + b2). The packed weights are shared by copies.
class SqueezeExcitation {
public:
    struct Parameters {
        int64_t channels; ///< C
        int64_t squeezed; ///< S
        const float *w1;  ///< [S, C]
        const float *b1;  ///< [S], or null for zeros
        const float *w2;  ///< [C, S]
        const float *b2;  ///< [C], or null for zeros
        std::optional<op::ActivationKind> inner;
        std::optional<op::ActivationKind> gate;
    };

    /// The parameters are not needed afterwards.
    explicit SqueezeExcitation(const Parameters &parameters);

    /// Floats of scratch memory that run() needs.
    int64_t scratch_floats() const;

    /// For one image: `sums` [C], which times `factor` are the means (1 / pixels for sums over all
    /// pixels, 1 for means), to `scale` [C], which may be the same memory. Where the weights are
    /// few, the calling thread does it alone.
    void run(const float *sums, float factor, float *scale, float *scratch) const;

private:
    int64_t channels_;
    int64_t squeezed_;
    std::optional<op::ActivationKind> inner_;
    std::optional<op::ActivationKind> gate_;
    std::shared_ptr<const float[]> first_; ///< both packed as squeeze.cpp says, bias behind
    std::shared_ptr<const float[]> second_;
};

} // namespace tvw::cpu
