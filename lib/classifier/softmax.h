// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <vector>

namespace tvw {

// Both write into memory that is kept from frame to frame.

/// Probabilities from logits, safe for any finite values. Error(kMismatch) on NaN or infinity.
void softmax(std::span<const float> logits, std::vector<double> &probabilities);

/// Indices of the `count` largest values with at least `threshold`, largest first; of equal
/// values the lower index first.
void top_k(std::span<const double> values, int count, double threshold, std::vector<int> &indices);

} // namespace tvw
