// SPDX-License-Identifier: LGPL-2.1-or-later
// The host's share of preprocessing on a GPU: which jobs a batch of frames is, and their tables.
#pragma once

#include <tvw/export.h>
#include <tvw/transforms.h>

#include "transforms/grid_kernels.h"
#include "transforms/recipe.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tvw {

/// Plans one batch after another; keeps tables while frames keep their size. The pixels may be in
/// any memory: a plan does not read them.
class TVW_API GridPlan {
public:
    /// Error(kInvalidArgument) as Preprocessor.
    explicit GridPlan(const Transforms &preset);

    /// Error(kInvalidArgument) as Preprocessor::run, and if the images do not get one size.
    void plan(std::span<const FrameInput> inputs);

    /// Of every image of the batch.
    Size output() const { return output_; }
    const Normalization &normalization() const { return recipe_.normalization; }

    /// All tables, one behind the other, and a number that changes when they do.
    const std::vector<ResampleWindow> &windows() const { return windows_; }
    const std::vector<float> &weights() const { return weights_; }
    uint64_t version() const { return version_; }
    /// Floats between the passes.
    size_t row_floats() const { return row_floats_; }

    /// The extents of the first pass's grid.
    int columns() const { return columns_; }
    int rows() const { return rows_; }

    /// The jobs, whose tables and rows point into this memory. A caller who moves the pixels
    /// changes their sources.
    std::span<grid::Job> jobs(const ResampleWindow *windows, const float *weights, float *rows);

private:
    struct Axis {
        size_t windows; ///< of the plan's, where the table begins
        size_t weights;
        int taps;
        int outputs;
        int begin;
        int samples;
    };
    struct Tables {
        Size src;
        PicturePlacement placement;
        Axis x;
        Axis y;
    };
    struct Item {
        pixel::Source source;
        Region area;
        size_t tables;
    };

    Axis add_table(const ResampleTable &table);
    void add_tables(Size src);
    std::optional<size_t> find(Size src) const;
    void find_tables();
    void measure();

    Recipe recipe_;
    std::vector<Item> items_;
    std::vector<Tables> tables_;
    std::vector<ResampleWindow> windows_;
    std::vector<float> weights_;
    uint64_t version_ = 0;
    Size output_;
    size_t row_floats_ = 0;
    int columns_ = 0;
    int rows_ = 0;
    std::vector<grid::Job> jobs_;
};

/// [3, 256]: what the levels of R, G and B become. T is float, or uint16_t for the bits of another
/// format, which `round` makes of a float.
template<typename T, typename Round>
std::vector<T> level_values(const Normalization &normalization, const Round &round) {
    std::vector<T> values;
    for (size_t c = 0; c < kChannels; ++c) {
        for (int level = 0; level < 256; ++level)
            values.push_back(round(
                pixel::normalized(uint8_t(level), normalization.mean[c], normalization.std[c])));
    }
    return values;
}

} // namespace tvw
