// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/results.h"

#include <algorithm>
#include <cmath>

namespace tvw::test {

namespace {

Guess read_guess(const GValue *value) {
    ck_assert(GST_VALUE_HOLDS_STRUCTURE(value));
    const GstStructure *fields = gst_value_get_structure(value);
    ck_assert(gst_structure_has_name(fields, "prediction"));
    Guess guess;
    ck_assert(gst_structure_get_int(fields, "class-id", &guess.class_id));
    ck_assert(gst_structure_get_double(fields, "probability", &guess.probability));
    ck_assert(gst_structure_has_field_typed(fields, "label", G_TYPE_STRING));
    guess.label = gst_structure_get_string(fields, "label");
    return guess;
}

} // namespace

double Result::probability_of(int class_id) const {
    const auto found = std::ranges::find(predictions, class_id, &Guess::class_id);
    return found == predictions.end() ? 0 : found->probability;
}

Result read_result(const GstStructure *structure) {
    Result result;
    ck_assert(gst_structure_has_field_typed(structure, "weights", G_TYPE_STRING));
    result.weights = gst_structure_get_string(structure, "weights");
    ck_assert(gst_structure_has_field_typed(structure, "digest", G_TYPE_STRING));
    result.digest = gst_structure_get_string(structure, "digest");
    ck_assert(gst_structure_get_uint64(structure, "pts", &result.pts));
    ck_assert(gst_structure_get_uint(structure, "age", &result.age));
    ck_assert(gst_structure_has_field_typed(structure, "predictions", GST_TYPE_ARRAY));
    const GValue *predictions = gst_structure_get_value(structure, "predictions");
    for (guint i = 0; i < gst_value_array_get_size(predictions); ++i)
        result.predictions.push_back(read_guess(gst_value_array_get_value(predictions, i)));
    return result;
}

std::optional<Result> result_on(const Buffer &buffer) {
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer.get(), "TvwClassificationMeta");
    if (!meta)
        return std::nullopt;
    return read_result(gst_custom_meta_get_structure(meta));
}

Result need_result(const Buffer &buffer) {
    const auto result = result_on(buffer);
    ck_assert(result.has_value());
    return result.value_or(Result());
}

std::vector<Result> posted_results(Bus &bus) {
    std::vector<Result> results;
    for (const auto &message : bus.take(GST_MESSAGE_ELEMENT)) {
        ck_assert(gst_message_has_name(message.get(), "tvw-classification"));
        results.push_back(read_result(gst_message_get_structure(message.get())));
    }
    return results;
}

double distance(const Result &a, const Result &b) {
    ck_assert_uint_eq(a.predictions.size(), b.predictions.size());
    double largest = 0;
    for (const Guess &guess : a.predictions)
        largest = std::max(largest, std::abs(guess.probability - b.probability_of(guess.class_id)));
    return largest;
}

} // namespace tvw::test
