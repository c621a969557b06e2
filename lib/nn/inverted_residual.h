// SPDX-License-Identifier: LGPL-2.1-or-later
// The inverted residual of MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) and its successors.
#pragma once

#include "nn/layers.h"

namespace tvw::nn {

struct InvertedResidual {
    int64_t expanded_channels = 0; ///< no expansion where x has as many already
    int64_t out_channels = 0;
    int64_t kernel = 3;
    int64_t stride = 1;
    int64_t dilation = 1;
    bool tf_same = false;
    Activation activation = Activation::kRelu;
    double eps = 1e-5;
    int64_t squeeze_channels = 0; ///< 0: no squeeze-excitation
    Activation squeeze_activation = Activation::kRelu;
    Activation squeeze_gate = Activation::kSigmoid;
};

/// Expand, depthwise, squeeze, project: the children "0", "1", … of s, those that are there. The
/// residual is the caller's, who knows what it is added to.
Value inverted_residual(const Scope &s, Value x, const InvertedResidual &block);

} // namespace tvw::nn
