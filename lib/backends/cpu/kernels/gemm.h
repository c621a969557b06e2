// SPDX-License-Identifier: LGPL-2.1-or-later
// Matrix products with constant weights that were packed beforehand: 1×1 convolutions and linear
// layers.
#pragma once

#include "backends/cpu/kernels/image.h"
#include "backends/cpu/memory.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tvw::cpu {

/// Columns that lie side by side in packed weights, whatever the CPU's vectors hold.
inline constexpr int64_t kPanel = 16;

constexpr int64_t panels_of(int64_t columns) {
    return (columns + kPanel - 1) / kPanel;
}

/// Room for so many floats that takes an odd number of cache lines: rows so far apart are spread
/// over all sets of a cache.
constexpr int64_t odd_lines(int64_t floats) {
    return (panels_of(floats) | 1) * kPanel;
}

/// y = epilogue(x · b) for packed b.
struct Product {
    const float *x; ///< [rows][in]
    int64_t x_stride;
    int64_t rows;
    float *y; ///< [rows][out]
    int64_t y_stride;
    const float *packed;
    int64_t out;
    int64_t in;
    Epilogue epilogue;
    const int64_t *columns = nullptr; ///< [in], where those of x begin, if not side by side
    /// Floats from the results of a panel to those of the next. Where they do not lie side by side,
    /// there are whole panels and no residual.
    int64_t y_panel = kPanel;
};

void multiply(const Product &product);

/// Panels that fill two of the CPU's vectors. Products of fewer columns take longer for each.
int64_t panels_of_two_vectors();

/// Packs b, of which b[k · in_stride + o · out_stride] is in row k < in and column o < out, as
/// [panels][in][kPanel]; leaves alone what lies beyond `out`.
void pack_panels(const float *b, int64_t out, int64_t out_stride, int64_t in, int64_t in_stride,
                 float *packed);

/// The weights of a convolution [out, in / groups, taps] as [groups][panels][patch][kPanel], zero
/// beyond a group's columns. A patch is in the order of planes, taps and channels of a plane, of
/// which a group has `planes` · `plane_channels`.
SharedFloats pack_filters(const float *weight, int64_t out, int64_t groups, int64_t taps,
                          int64_t planes, int64_t plane_channels);

/// y[m][o] = epilogue(sum_i x[m][i] · scale[i] · w[o][i]) for rows m. Copies share the weights.
class PackedGemm {
public:
    /// weight: [out][in], read here only.
    PackedGemm(const float *weight, int64_t out, int64_t in);

    int64_t out() const { return out_; }
    int64_t in() const { return in_; }
    const float *packed() const { return packed_.get(); }

    /// What `run` needs where it is given a scale; it needs none otherwise.
    size_t scratch_floats(int64_t rows) const;

    /// x: [rows][in], y: [rows][out], strides in floats. x_scale: [in], null for ones (the factor
    /// of squeeze-excitation, Hu et al. 2018). scratch: 64-byte aligned. The residual's rows are
    /// `epilogue.residual_pixel` apart; it may be y itself.
    void run(const float *x, int64_t x_stride, int64_t rows, float *y, int64_t y_stride,
             const Epilogue &epilogue, const float *x_scale = nullptr,
             float *scratch = nullptr) const;

private:
    bool scales_weights(int64_t rows) const;

    int64_t out_;
    int64_t in_;
    SharedFloats packed_; ///< [panels][in][kPanel], zero beyond `out`
};

} // namespace tvw::cpu
