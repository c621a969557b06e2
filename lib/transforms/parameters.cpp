// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/parameters.h"

#include <tvw/error.h>

#include <algorithm>
#include <string>

namespace tvw {
namespace {

[[noreturn]] void refuse(std::string_view preset, std::string_view name, const std::string &rule) {
    throw Error(ErrorKind::kInvalidArgument,
                std::string(preset) + ": " + std::string(name) + " must " + rule);
}

std::array<float, kChannels> per_channel(std::string_view preset, std::string_view name,
                                         const std::vector<double> &values) {
    if (values.size() != 1 && values.size() != kChannels)
        refuse(preset, name, "hold one or three numbers, not " + std::to_string(values.size()));
    std::array<float, kChannels> result{};
    for (size_t c = 0; c < kChannels; ++c)
        result[c] = float(values[values.size() == 1 ? 0 : c]);
    return result;
}

} // namespace

void check_sides(std::string_view preset, std::string_view name,
                 const std::vector<int64_t> &sides) {
    constexpr int64_t kMaxSide = 1 << 14;
    const bool sane = std::all_of(sides.begin(), sides.end(),
                                  [](int64_t side) { return side >= 1 && side <= kMaxSide; });
    if (sides.empty() || sides.size() > 2 || !sane)
        refuse(preset, name, "be one or two numbers from 1 to " + std::to_string(kMaxSide));
}

Normalization make_normalization(std::string_view preset, const std::vector<double> &mean,
                                 const std::vector<double> &std) {
    const Normalization result{per_channel(preset, "mean", mean), per_channel(preset, "std", std)};
    if (std::find(result.std.begin(), result.std.end(), 0.0F) != result.std.end())
        refuse(preset, "std", "not be zero");
    return result;
}

} // namespace tvw
