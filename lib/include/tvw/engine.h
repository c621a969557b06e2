// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/checkpoint.h>
#include <tvw/export.h>
#include <tvw/frame.h>
#include <tvw/tensor.h>
#include <tvw/transforms.h>
#include <tvw/weights.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The seam between the small core and LibTorch: libtvw implements these classes and is opened on
/// first use, so that programs which only look things up never pay for it.
namespace tvw {

/// Where a model runs.
struct Device {
    enum class Type { kAuto, kCpu, kCuda } type = Type::kAuto;
    int index = 0;
    bool operator==(const Device &) const = default;
};

/// "auto", "cpu", "cuda", "cuda:1"; Error(kInvalidArgument) otherwise.
TVW_API Device parse_device(std::string_view text);

/// What computes the graph.
enum class Backend {
    kAuto,      ///< the graph after the passes, on the fastest kernels that take it
    kReference, ///< the graph as built, on LibTorch's operators: the oracle
};
/// "auto" or "reference"; Error(kInvalidArgument) otherwise.
TVW_API Backend parse_backend(std::string_view text);

/// The numbers that a network computes with. Inputs and outputs are float32 in any case.
enum class Precision {
    kFp32, ///< float32, with products as exact as that
    kTf32, ///< float32, but factors of products have 10 bits after the point (Ampere and later)
    kFp16, ///< float16, summed up in float32; on GPUs alone, as kTf32 is
    /// bfloat16, summed up in float32; on GPUs, and on CPUs that have instructions for it. With all
    /// results rounded to it, as on GPUs, EfficientNet-Lite0 gives 5 % of 700 random crops of
    /// pictures another label; the probability of the first changes by 0.013 on average and by 0.1
    /// at most. CPUs round only what convolutions, but for depthwise ones, and linear layers
    /// multiply: 1.1 %, 0.004 and 0.02.
    kBf16,
};
/// "fp32", "tf32", "fp16" or "bf16"; Error(kInvalidArgument) otherwise.
TVW_API Precision parse_precision(std::string_view text);
/// As parse_precision() takes it.
TVW_API std::string_view precision_name(Precision precision);

/// What an Engine is made from.
struct EngineConfig {
    std::string builder;                          ///< "resnet50"
    Arguments arguments;                          ///< of the builder
    std::optional<Arguments> given = {};          ///< the caller's own among them, see below
    std::shared_ptr<const Checkpoint> checkpoint; ///< null: random initialisation
    std::string strip_prefix;                     ///< taken off the checkpoint's keys
    uint64_t seed = 0;                            ///< of the random initialisation
    Backend backend = Backend::kAuto;
    Device device = {}; ///< auto: a GPU, if one can be used and the network runs there
    Precision precision = Precision::kFp32;
    int threads = 0; ///< 0: one per CPU this process may use
};

/// The builder of `weights` called with them and `given`: builder, arguments, prefix, and what
/// torchvision's builders leave out of a network with weights (GoogLeNet's auxiliary heads) unless
/// `given` asks for it; the checkpoint is for the caller to add. Errors as builder_arguments().
TVW_API EngineConfig engine_config(const Weights &weights, const Arguments &given = {});

/// What one node of a network's graph costs, as its backend runs it.
struct NodeTime {
    std::string node;       ///< its name in the graph
    std::string op;         ///< "conv2d"
    std::string kernel;     ///< what computes it: "Winograd F(4×4, 3×3)"
    std::string reason;     ///< why that one; empty where there is no other
    double median_ms = 0;   ///< of the rounds
    int64_t operations = 0; ///< multiplications and additions; 0: not counted
    Shape shape;            ///< of the result
};

/// Frames in, a model's outputs out: frames become its input where it runs, on a GPU without a
/// tensor in the host's memory. One thread at a time.
class TVW_API FrameRunner {
public:
    virtual ~FrameRunner();

    /// A batch of one image for each frame, which all get one size. Outputs as Engine::run has
    /// them. Frames may lie in the host's memory or in that of the GPU where the model runs; nobody
    /// reads them after the call. On the CPU nothing is allocated for frames of one size and
    /// number. Errors: as Preprocessor::run and Engine::run, and kInvalidArgument for images of
    /// different sizes and frames in another GPU's memory.
    virtual void run(std::span<const FrameInput> frames, std::vector<NamedTensor> &outputs) = 0;
};

/// One model ready to run. Any thread may call; calls are taken in order.
class TVW_API Engine {
public:
    virtual ~Engine();

    /// Inputs by name ("input", float32 [N, 3, H, W]); "output" first, then auxiliary outputs.
    /// The graph is built and planned once per input shape.
    std::vector<NamedTensor> run(const std::vector<NamedTensor> &inputs);
    /// The same into the tensors of an earlier run, if they fit and nobody else holds them: then
    /// nothing is allocated.
    virtual void run(const std::vector<NamedTensor> &inputs, std::vector<NamedTensor> &outputs) = 0;
    /// Runs the plan for these inputs `rounds` times and measures every node, in the order in which
    /// they run. Error(kNotSupported) where the backend does not measure its nodes.
    virtual std::vector<NodeTime> profile(const std::vector<NamedTensor> &inputs, int rounds) = 0;
    /// Elements of all parameters, before quantization (num_params in meta).
    virtual int64_t num_params() const = 0;
    /// Where it runs: "cpu", or "cuda:0 (NVIDIA H100 80GB HBM3)".
    virtual std::string device() const = 0;
    /// The index of the GPU where it runs; none: the CPU.
    virtual std::optional<int> gpu() const = 0;
    /// One for each stream; it keeps the model alive. Where frames are preprocessed is a line of
    /// the log. Error(kInvalidArgument) as Preprocessor; Error(kNotSupported) for presets of clips.
    virtual std::unique_ptr<FrameRunner> frame_runner(const Transforms &preset,
                                                      PreprocessMode mode) = 0;
};

/// Which graph to print, and how.
struct GraphRequest {
    std::string builder;
    Arguments arguments;
    std::optional<Shape> input_shape; ///< none: one that the model takes
    bool passes = false;              ///< after the passes rather than as built
    bool dot = false;                 ///< Graphviz instead of text
    std::vector<NodeTime> times = {}; ///< with `dot`: nodes are labelled and coloured by them
};

/// What a state dict holds under one key; see StateValue.
enum class StateKind {
    kTensor,
    kPacked, ///< weight and bias of a quantized layer; dtype and shape are the weight's
    kDType,
};
/// "tensor", "packed", "dtype".
TVW_API std::string_view state_kind_name(StateKind kind);

/// A parameter or buffer that a builder expects from a checkpoint.
struct ParameterSpec {
    std::string key;
    DType dtype = DType::kFloat32;
    Shape shape;
    bool trainable = true; ///< learnt by training as it is; false for buffers
    StateKind kind = StateKind::kTensor;
};

/// What libtvw offers through `tvw_engine_v1`.
class TVW_API EngineLibrary {
public:
    virtual ~EngineLibrary();

    /// Errors: kNotFound "Unknown model …", kNotSupported for a builder whose family or device is
    /// not there, kInvalidArgument for arguments, kMismatch for a checkpoint that does not fit.
    virtual std::unique_ptr<Engine> create(const EngineConfig &config) = 0;
    virtual std::string graph_text(const GraphRequest &request) = 0;
    /// Multiplications and additions of one run: those of convolutions, linear layers and matrix
    /// products, which are nearly all.
    virtual double operations(const GraphRequest &request) = 0;
    /// What computes each node on the CPU, in order; nothing is measured. Empty where LibTorch's
    /// operators compute all of them.
    virtual std::vector<NodeTime> kernels(const GraphRequest &request) = 0;
    /// Every key a checkpoint of this builder must hold, from shapes alone.
    virtual std::vector<ParameterSpec> parameters(std::string_view builder,
                                                  const Arguments &arguments) = 0;
};

/// Opens libtvw once per process. Error(kNotSupported) names the library and the loader's reason.
TVW_API EngineLibrary &engine_library();

} // namespace tvw
