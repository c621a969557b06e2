// SPDX-License-Identifier: LGPL-2.1-or-later
// Results as an application reads them, by the names that docs/results.md gives.
#pragma once

#include "gst/elements.h"

#include <optional>
#include <string>
#include <vector>

namespace tvw::test {

struct Guess {
    int class_id = -1;
    std::string label;
    double probability = 0;
};

struct Result {
    std::string weights;
    std::string digest;
    guint64 pts = 0;
    guint age = 0;
    std::vector<Guess> predictions;

    /// 0 for a class that is not among the predictions.
    double probability_of(int class_id) const;
};

/// Fails the test where a field is missing or of another type.
Result read_result(const GstStructure *structure);

/// The metadata on a buffer; none where it carries none.
std::optional<Result> result_on(const Buffer &buffer);
/// The same, where there must be one.
Result need_result(const Buffer &buffer);

/// The results that the element has posted since this was last asked.
std::vector<Result> posted_results(Bus &bus);

/// The greatest difference between the probabilities of a class in two results of all classes.
double distance(const Result &a, const Result &b);

} // namespace tvw::test
