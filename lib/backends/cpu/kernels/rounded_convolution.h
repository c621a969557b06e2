// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution whose factors are rounded to bfloat16; what it reads and writes is float32. A 1×1
// convolution and a linear layer are of this kind, too.
#pragma once

#include "backends/cpu/kernels/bfloat16.h"
#include "backends/cpu/kernels/convolution.h"
#include "backends/cpu/kernels/image.h"
#include "backends/cpu/memory.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tvw::cpu {

class RoundedConvolution {
public:
    using Shape = Convolution::Shape;

    /// weight [out, in / groups, kH, kW], read here only, as [groups][panels][patch / 2][kPanel][2]
    /// of Bfloat16, zero beyond a patch and a group's channels. The same for all shapes that differ
    /// in size alone.
    static SharedFloats pack(const float *weight, const Shape &shape);

    /// kernels: one of bfloat16_kernels().
    RoundedConvolution(const Shape &shape, SharedFloats weights,
                       const Bfloat16Kernels &kernels = *bfloat16_kernels().front());

    /// What `run` needs on a team of this size.
    size_t scratch_floats(int threads) const;

    /// As Convolution::run. x_scale: [batch, in_channels], a factor for each channel of an image of
    /// the input, null for ones.
    void run(const Image<const float> &x, const Image<float> &y, const Epilogue &epilogue,
             float *scratch, const float *x_scale = nullptr) const;

private:
    Shape shape_;
    SharedFloats weights_;
    const Bfloat16Kernels *kernels_;
    std::vector<int64_t> taps_; ///< where the parts of a patch begin, in values behind its first
};

} // namespace tvw::cpu
