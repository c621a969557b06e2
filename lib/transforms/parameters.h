// SPDX-License-Identifier: LGPL-2.1-or-later
// The presets' parameters, checked where they are used; messages begin with the preset's name.
#pragma once

#include <tvw/export.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tvw {

constexpr size_t kChannels = 3;

/// Error(kInvalidArgument) unless it is a short side, or a height and a width.
TVW_API void check_sides(std::string_view preset, std::string_view name,
                         const std::vector<int64_t> &sides);

/// (x - mean) / std, one pair for each channel.
struct Normalization {
    std::array<float, kChannels> mean;
    std::array<float, kChannels> std;
};

/// From one or three numbers each; a single one holds for all channels.
TVW_API Normalization make_normalization(std::string_view preset, const std::vector<double> &mean,
                                         const std::vector<double> &std);

} // namespace tvw
