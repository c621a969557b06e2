// SPDX-License-Identifier: LGPL-2.1-or-later
// Classifier, from a frame to predictions.
#include "support/count_allocations.h"
#include "support/random_frames.h"
#include "support/random_parameters.h"
#include "support/suite.h"
#include "support/temporary_folder.h"

#include <tvw/classifier.h>

#include <algorithm>
#include <string>
#include <vector>

using tvw::FrameInput;
using tvw::Prediction;
using tvw::test::Random;
using tvw::test::RandomFrame;

namespace {

constexpr char kDescriptor[] = R"({
  "builder": "mobilenet_v3_small",
  "arguments": {"num_classes": 10},
  "checkpoint": "model.safetensors",
  "categories": ["a label that is longer than what fits into a string itself", "b", "c", "d", "e",
                 "f", "g", "h", "i", "j"],
  "transforms": {"preset": "ImageClassification", "crop_size": 48, "resize_size": 56}
}
)";

/// A descriptor with a checkpoint beside it.
class Model {
public:
    Model() : descriptor_(folder_.write("model.json", kDescriptor)) {
        tvw::test::write_random_checkpoint(
            folder_.path() / "model.safetensors",
            tvw::engine_library().parameters("mobilenet_v3_small", {{"num_classes", int64_t{10}}}),
            1);
    }

    tvw::Classifier classifier(tvw::PreprocessMode mode) const {
        tvw::ClassifierConfig config;
        config.weights = descriptor_.string();
        config.device = "cpu";
        config.preprocess = mode;
        return tvw::Classifier(config);
    }

private:
    tvw::test::TemporaryFolder folder_;
    std::filesystem::path descriptor_;
};

const tvw::test::FormatLayout &layout_of(tvw::PixelFormat format) {
    return *std::ranges::find(tvw::test::kFormats, format, &tvw::test::FormatLayout::format);
}

bool same(const std::vector<Prediction> &a, const std::vector<Prediction> &b) {
    return std::ranges::equal(a, b, [](const Prediction &x, const Prediction &y) {
        return x.class_id == y.class_id && x.label == y.label && x.probability == y.probability;
    });
}

} // namespace

START_TEST(further_frames_allocate_nothing) {
    Random random(1);
    const Model model;
    for (const auto mode : {tvw::PreprocessMode::kExact, tvw::PreprocessMode::kFast}) {
        tvw::Classifier classifier = model.classifier(mode);
        for (const auto format : {tvw::PixelFormat::kRGB, tvw::PixelFormat::kNV12}) {
            const RandomFrame frame(layout_of(format), random, 640, 360);
            const FrameInput whole = {frame.view()};
            const FrameInput part = {frame.view(), tvw::Region{3, 5, 640 - 3, 360 - 5}};
            std::vector<Prediction> predictions;
            for (const FrameInput &input : {whole, part}) {
                // With every class, so that every string has had the longest label.
                for (int i = 0; i < 3; ++i)
                    classifier.classify(input, 10, 0, predictions);
                const long count = tvw::test::allocations_of([&] {
                    for (int i = 0; i < 100; ++i)
                        classifier.classify(input, 10, 0, predictions);
                });
                ck_assert_int_eq(count, 0);
            }
        }
    }
}
END_TEST

START_TEST(counting_sees_what_is_allocated) {
    std::vector<int> *made = nullptr;
    ck_assert_int_eq(tvw::test::allocations_of([&] { made = new std::vector<int>(3); }), 2);
    delete made;
}
END_TEST

START_TEST(both_ways_to_ask_answer_the_same) {
    Random random(2);
    tvw::Classifier classifier = Model().classifier(tvw::PreprocessMode::kExact);
    ck_assert(!classifier.gpu());
    std::vector<Prediction> predictions(20, {7, "of an earlier call", 0.5});
    for (const size_t format : {0, 11, 19}) {
        const RandomFrame frame(tvw::test::kFormats[format], random);
        const tvw::Region region = tvw::test::random_region(frame.view(), random);
        classifier.classify({frame.view(), region}, 4, 0, predictions);
        ck_assert_uint_eq(predictions.size(), 4);
        ck_assert(same(predictions, classifier.classify(frame.view(), 4, 0, region)));
        ck_assert(!same(predictions, classifier.classify(frame.view(), 4, 1)));
    }
}
END_TEST

int main() {
    return tvw::test::run_suite("classified frames",
                                {counting_sees_what_is_allocated, further_frames_allocate_nothing,
                                 both_ways_to_ask_answer_the_same});
}
