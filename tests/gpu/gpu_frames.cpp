// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames on a GPU against the CPU: preprocessing bit for bit, for every preset, format, mode, type
// and layout, from the host's memory and from the GPU's; then what a Classifier says of the same
// frames. gpu_frames [DEVICE]; DEVICE is cuda without it, and loops over the grid with "cpu". The
// last line is "N passed, N failed, N skipped".
#include "base/half.h"
#include "support/random_frames.h"

#include "gpu/counts.h"
#include "gpu/place.h"
#include "support/random_parameters.h"
#include "support/temporary_folder.h"

#include <tvw/classifier.h>

#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <array>
#include <list>
#include <string>

namespace {

using namespace tvw::test;
using tvw::DType;
using tvw::FrameInput;
using tvw::cuda::ImageLayout;

constexpr std::array kTypes = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};

at::ScalarType scalar_type(DType dtype) {
    return dtype == DType::kFloat32   ? at::kFloat
           : dtype == DType::kFloat16 ? at::kHalf
                                      : at::kBFloat16;
}

std::vector<tvw::Transforms> random_presets(Random &random) {
    const auto side = [&] { return int64_t{1} + random.below(50); };
    tvw::ImageClassification classification;
    classification.resize_size = {side()};
    classification.crop_size = {side(), side()};
    classification.interpolation = tvw::InterpolationMode(random.below(3));
    classification.antialias = random.below(2) == 0;
    tvw::SemanticSegmentation segmentation;
    segmentation.resize_size = {{side(), side()}};
    tvw::VideoClassification video;
    video.resize_size = {side(), side()};
    video.crop_size = {side(), side()};
    return {classification, segmentation, video, tvw::ObjectDetection{}, tvw::OpticalFlow{}};
}

/// Frames of one format and size, each in the host's memory or where they are preprocessed.
struct Batch {
    Batch(const FormatLayout &format, int count, Random &random, const Place &place) {
        const int width = 1 + random.below(90);
        const int height = 1 + random.below(40);
        for (int i = 0; i < count; ++i) {
            const RandomFrame &frame = frames.emplace_back(format, random, width, height);
            if (!region)
                region = random_region(frame.view(), random);
            here.push_back({frame.view(), region});
            const bool moves = random.below(2) == 0;
            there.push_back({moves ? place.moved(frame, kept) : frame.view(), region});
        }
    }

    std::list<RandomFrame> frames;
    std::optional<tvw::Region> region;
    std::vector<at::Tensor> kept;
    std::vector<FrameInput> here;  ///< for the CPU
    std::vector<FrameInput> there; ///< for the place that is compared with it
};

/// [N, 3, H, W], or [3, T, H, W] of a clip.
at::Tensor on_cpu(const tvw::Transforms &preset, const Batch &batch, ImageLayout layout) {
    tvw::Preprocessor preprocessor(preset);
    tvw::Shape shape = preprocessor.output_shape(batch.region->width, batch.region->height);
    const auto count = int64_t(batch.here.size());
    if (layout == ImageLayout::kClip) {
        shape.insert(shape.begin() + 1, count);
        at::Tensor clip = at::empty(shape, at::TensorOptions(at::kFloat));
        std::vector<tvw::FrameView> views;
        for (const FrameInput &input : batch.here)
            views.push_back(input.frame);
        preprocessor.run_clip(views,
                              {static_cast<float *>(clip.mutable_data_ptr()), size_t(clip.numel())},
                              batch.region);
        return clip;
    }
    const auto image = size_t(tvw::numel(shape));
    shape.insert(shape.begin(), count);
    at::Tensor images = at::empty(shape, at::TensorOptions(at::kFloat));
    auto *dst = static_cast<float *>(images.mutable_data_ptr());
    for (const FrameInput &input : batch.here) {
        preprocessor.run(input.frame, {dst, image}, input.region);
        dst += image;
    }
    return images;
}

/// The bits of values of any type, in the order in which they lie.
at::Tensor bits_of(const at::Tensor &values) {
    return values.view(values.element_size() == 4 ? at::kInt : at::kShort);
}

bool same_bits(Place &place, const tvw::Transforms &preset, const Batch &batch, DType dtype,
               ImageLayout layout) {
    at::Tensor expected = on_cpu(preset, batch, layout);
    if (layout == ImageLayout::kChannelsLast)
        expected = expected.permute({0, 2, 3, 1});
    expected = expected.to(scalar_type(dtype)).contiguous();
    const auto preprocessor = place.make_preprocessor(preset);
    at::Tensor result;
    place.run([&] { // with the values of no image, in the same stream
        result = at::full(expected.sizes(), -77,
                          at::TensorOptions(place.device()).dtype(expected.scalar_type()));
    });
    const tvw::cuda::ImageTensor dst = {result.mutable_data_ptr(), result.numel(), dtype, layout};
    // A second run finds its tables there.
    for (int run = 0; run < 2; ++run)
        place.run([&] { preprocessor->enqueue(batch.there, dst); });
    return at::equal(bits_of(result.cpu()), bits_of(expected));
}

void compare_preprocessing(Place &place, Random &random, Counts &counts) {
    for (const FormatLayout &format : kFormats) {
        int cases = 0;
        int bad = 0;
        for (const tvw::Transforms &preset : random_presets(random)) {
            const bool clip = std::holds_alternative<tvw::VideoClassification>(preset);
            const Batch batch(format, 1 + random.below(4), random, place);
            for (const DType dtype : kTypes) {
                const ImageLayout layout = clip                   ? ImageLayout::kClip
                                           : random.below(2) == 0 ? ImageLayout::kChannelsFirst
                                                                  : ImageLayout::kChannelsLast;
                const bool good = same_bits(place, preset, batch, dtype, layout);
                counts.add(good);
                ++cases;
                bad += good ? 0 : 1;
                if (!good)
                    std::printf("  differs: %s, %s\n", tvw::repr(preset).c_str(),
                                std::string(tvw::dtype_name(dtype)).c_str());
            }
        }
        std::printf("%-12s %3d of %d batches are the CPU's to the bit\n", format.name, cases - bad,
                    cases);
        std::fflush(stdout);
    }
}

/// What becomes of a frame that is zeros until another stream, which has much to do first, fills
/// it. `wait`: with that stream beside it.
at::Tensor read_while_written(Place &place, const RandomFrame &frame, bool wait) {
    std::vector<at::Tensor> kept;
    tvw::FrameView view = place.moved(frame, kept);
    at::Tensor memory = kept.front();
    const at::Tensor content = memory.clone();
    memory.zero_();
    at::Tensor factor = at::ones({4096, 4096}, at::TensorOptions(place.device()));
    const c10::cuda::CUDAStream writer =
        c10::cuda::getStreamFromPool(/*isHighPriority=*/false, place.device().index());
    c10::cuda::device_synchronize();
    const c10::cuda::CUDAStream usual = c10::cuda::getCurrentCUDAStream();
    c10::cuda::setCurrentCUDAStream(writer);
    for (int i = 0; i < 20; ++i)
        factor = at::mul(at::matmul(factor, factor), 1.0 / 4096);
    memory.copy_(content, /*non_blocking=*/true);
    c10::cuda::setCurrentCUDAStream(usual);
    if (wait)
        view.gpu->stream = writer.stream();
    at::Tensor result = at::empty({3, frame.view().height, frame.view().width},
                                  at::TensorOptions(place.device()).dtype(at::kFloat));
    const FrameInput input = {view};
    const auto preprocessor = place.make_preprocessor(tvw::ObjectDetection{});
    place.run([&] {
        preprocessor->enqueue({&input, 1}, {result.mutable_data_ptr(), result.numel()});
    });
    result = result.cpu();
    c10::cuda::device_synchronize(); // before the memory goes
    return result;
}

/// A GPU alone.
void compare_while_written(Place &place, Random &random, Counts &counts) {
    const RandomFrame frame(kFormats.front(), random, 90, 40);
    at::Tensor expected = at::empty({3, 40, 90}, at::TensorOptions(at::kFloat));
    tvw::Preprocessor(tvw::ObjectDetection{})
        .run(frame.view(),
             {static_cast<float *>(expected.mutable_data_ptr()), size_t(expected.numel())});
    if (at::equal(read_while_written(place, frame, false), expected))
        std::printf("the writer was done too early to show that it is waited for\n");
    const bool good = at::equal(read_while_written(place, frame, true), expected);
    counts.add(good);
    std::printf("a frame that is being written is %s\n", good ? "waited for" : "read too early!");
}

constexpr char kDescriptor[] = R"({
  "builder": "mobilenet_v3_small",
  "arguments": {"num_classes": 10},
  "checkpoint": "model.safetensors",
  "transforms": {"preset": "ImageClassification", "crop_size": 224, "resize_size": 232}
}
)";

/// A descriptor with a checkpoint beside it.
std::string write_model(const TemporaryFolder &folder) {
    write_random_checkpoint(
        folder.path() / "model.safetensors",
        tvw::engine_library().parameters("mobilenet_v3_small", {{"num_classes", int64_t{10}}}), 5);
    return folder.write("model.json", kDescriptor).string();
}

/// Probabilities by class.
std::vector<double> probabilities(tvw::Classifier &classifier, const FrameInput &input) {
    std::vector<tvw::Prediction> predictions;
    classifier.classify(input, 10, 0, predictions);
    std::vector<double> result(predictions.size());
    for (const tvw::Prediction &prediction : predictions)
        result[size_t(prediction.class_id)] = prediction.probability;
    return result;
}

double largest_difference(const std::vector<double> &a, const std::vector<double> &b) {
    double worst = 0;
    for (size_t i = 0; i < a.size(); ++i)
        worst = std::max(worst, std::abs(a[i] - b[i]));
    return worst;
}

struct Tolerance {
    const char *precision;
    double most; ///< of a probability
};
constexpr std::array kTolerances = {Tolerance{"fp32", 1e-3}, Tolerance{"tf32", 2e-2},
                                    Tolerance{"fp16", 2e-2}, Tolerance{"bf16", 1e-1}};

void compare_classifiers(const std::string &device, const Place &place, Random &random,
                         Counts &counts) {
    const TemporaryFolder folder;
    tvw::ClassifierConfig config;
    config.weights = write_model(folder);
    std::list<RandomFrame> frames;
    for (const FormatLayout &format : kFormats)
        frames.emplace_back(format, random, 640, 360);
    std::vector<at::Tensor> kept;
    for (const Tolerance &tolerance : kTolerances) {
        const bool on_cpu = place.device().is_cpu();
        if (on_cpu && std::string(tolerance.precision) != "fp32")
            continue;
        config.device = device;
        config.precision = tolerance.precision;
        tvw::Classifier there(config);
        config.device = "cpu";
        config.precision = "fp32";
        tvw::Classifier here(config);
        double worst = 0;
        for (const RandomFrame &frame : frames) {
            const tvw::Region region = random_region(frame.view(), random);
            const auto expected = probabilities(here, {frame.view(), region});
            for (const tvw::FrameView &view : {frame.view(), place.moved(frame, kept)})
                worst = std::max(
                    worst, largest_difference(probabilities(there, {view, region}), expected));
        }
        const bool good = worst <= tolerance.most;
        counts.add(good);
        std::printf("classifier, %s: probabilities differ by %.1e at most%s\n", tolerance.precision,
                    worst, good ? "" : "!");
    }
}

int run(const std::string &device) {
    const c10::InferenceMode inference;
    Place place(device);
    Random random(printed_seed("gpu_frames"));
    Counts counts;
    compare_preprocessing(place, random, counts);
    if (place.device().is_cuda())
        compare_while_written(place, random, counts);
    compare_classifiers(device, place, random, counts);
    return counts.finish();
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc > 1 ? argv[1] : "cuda");
    } catch (const std::exception &error) {
        std::fprintf(stderr, "gpu_frames: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
