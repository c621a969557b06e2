// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <vector>

namespace tvw {

/// Probabilities from logits, safe for any finite values. Error(kMismatch) on NaN or infinity.
std::vector<double> softmax(std::span<const float> logits);

/// Indices of the `count` largest values with at least `threshold`, largest first; of equal
/// values the lower index first.
std::vector<int> top_k(std::span<const double> values, int count, double threshold);

} // namespace tvw
