// SPDX-License-Identifier: LGPL-2.1-or-later
// The operations a graph is made of: plain structs, one closed variant. Each states its inputs, in
// order; shapes are [N, C, H, W] unless said otherwise, layouts C order.
#pragma once

#include <tvw/tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tvw {

/// Height, width.
using Size2 = std::array<int64_t, 2>;
/// Top, left, bottom, right.
using Padding = std::array<int64_t, 4>;

/// How a value is stored as quint8: real = (stored - zero_point) · scale.
struct Affine {
    double scale = 1;
    int64_t zero_point = 0;
    bool operator==(const Affine &) const = default;
};

/// LibTorch's engines for quantized operations, which round differently.
enum class QuantizedEngine { kFbgemm, kQnnpack };

namespace op {

enum class ActivationKind {
    kRelu,
    kRelu6,
    kSilu,
    kSigmoid,
    kHardswish,
    kHardsigmoid,
    kGelu, ///< the exact one, with erf
    kTanh,
    kExp,
};

/// A graph's input; no inputs of its own.
struct Input {
    static constexpr std::string_view kName = "input";
};

/// A parameter or buffer; no inputs.
struct Constant {
    static constexpr std::string_view kName = "constant";
    HostTensor tensor; ///< without bytes where only shapes are wanted
};

// `activation`, where an operation has one, is applied to its result. No builder sets it, nor a
// fourth input of Conv2d and Linear: fuse_epilogue does.

/// x, weight [O, I/groups, kH, kW], bias [O] (optional), residual (optional, only with a bias) of
/// the result's shape: added before the activation. torch.nn.functional.conv2d, with the padding of
/// every side given on its own.
struct Conv2d {
    static constexpr std::string_view kName = "conv2d";
    Size2 stride{1, 1};
    Padding padding{0, 0, 0, 0};
    Size2 dilation{1, 1};
    int64_t groups = 1;
    std::optional<ActivationKind> activation = {};
};

/// x, weight, bias, running mean, running variance, all [C]. As in evaluation mode.
struct BatchNorm {
    static constexpr std::string_view kName = "batch_norm";
    double eps = 1e-5;
    std::optional<ActivationKind> activation = {};
};

/// x [..., I], weight [O, I], bias [O] (optional), residual as of Conv2d.
struct Linear {
    static constexpr std::string_view kName = "linear";
    std::optional<ActivationKind> activation = {};
};

/// x; element by element.
struct Activation {
    static constexpr std::string_view kName = "activation";
    ActivationKind kind = ActivationKind::kRelu;
};

/// a, b of shapes that broadcast as in PyTorch.
struct Add {
    static constexpr std::string_view kName = "add";
    std::optional<ActivationKind> activation = {};
};

/// a, b of shapes that broadcast as in PyTorch.
struct Mul {
    static constexpr std::string_view kName = "mul";
    std::optional<ActivationKind> activation = {};
};

/// x; padding counts as minus infinity.
struct MaxPool2d {
    static constexpr std::string_view kName = "max_pool2d";
    Size2 kernel{1, 1};
    Size2 stride{1, 1};
    Size2 padding{0, 0};    ///< of both sides
    bool ceil_mode = false; ///< a window that starts inside may end outside
};

/// x; padding counts as zeros that are averaged over.
struct AvgPool2d {
    static constexpr std::string_view kName = "avg_pool2d";
    Size2 kernel{1, 1};
    Size2 stride{1, 1};
    Size2 padding{0, 0}; ///< of both sides
};

/// x; the mean over equal parts of the image.
struct AdaptiveAvgPool2d {
    static constexpr std::string_view kName = "adaptive_avg_pool2d";
    Size2 output{1, 1};
};

/// x; the mean of each channel, [N, C].
struct SpatialMean {
    static constexpr std::string_view kName = "spatial_mean";
};

/// x; joins all dimensions from `start` on.
struct Flatten {
    static constexpr std::string_view kName = "flatten";
    int64_t start = 1;
};

/// x; the same elements in C order under another shape.
struct Reshape {
    static constexpr std::string_view kName = "reshape";
    Shape shape;
};

/// x; result dimension i is x's dimension `order[i]`.
struct Permute {
    static constexpr std::string_view kName = "permute";
    std::vector<int64_t> order;
};

/// Any number of values, equal but for one dimension.
struct Concat {
    static constexpr std::string_view kName = "concat";
    int64_t dim = 1;
};

/// x; every `step`th index of one dimension from `start` to before `end`.
struct Slice {
    static constexpr std::string_view kName = "slice";
    int64_t dim = 0;
    int64_t start = 0;
    int64_t end = 0;
    int64_t step = 1;
};

/// x; zeros after the end of dimensions, as many as dimensions in x.
struct PadEnd {
    static constexpr std::string_view kName = "pad_end";
    std::vector<int64_t> amounts;
};

/// x; moves elements of two dimensions round, as torch.roll.
struct Roll {
    static constexpr std::string_view kName = "roll";
    Size2 dims{0, 1};
    Size2 shifts{0, 0};
};

/// x [R, …], index [K] int64: rows of x.
struct Gather {
    static constexpr std::string_view kName = "gather";
};

/// x [..., C], weight [C], bias [C].
struct LayerNorm {
    static constexpr std::string_view kName = "layer_norm";
    double eps = 1e-5;
};

/// x; over the last dimension.
struct Softmax {
    static constexpr std::string_view kName = "softmax";
};

/// a [..., M, K], b [..., K, N]; leading dimensions broadcast.
struct MatMul {
    static constexpr std::string_view kName = "matmul";
};

/// softmax(q·kᵀ·scale + terms)·v for each head, the heads' results side by side. q [B, H, M, D],
/// k [B, H, N, D], v [B, H, N, E], then any number of terms [b, h, M, N]; h is 1 or H, and b
/// divides B: batch i takes i % b. The result is [B, M, H·E].
///
/// With `rows`, tokens are rows of an image that are attended to in groups of `tokens`, and nothing
/// is moved to make the groups: q and k are [R, H, D], v [R, H, E], the result is [R, H·E], all in
/// the image's order. M = N = tokens, B = R / tokens, and token t of batch i is row
/// rows[i · tokens + t], of the result as of q, k and v. `rows` names each of the R rows once.
struct Attention {
    static constexpr std::string_view kName = "attention";
    double scale = 1;
    int64_t tokens = 0; ///< 0 without rows
    std::shared_ptr<const std::vector<int32_t>> rows = {};
};

/// x; each vector of the last dimension divided by its length, which counts as eps at least.
struct Normalize {
    static constexpr std::string_view kName = "normalize";
    double eps = 1e-12;
};

/// x; no element above `most`.
struct ClampMax {
    static constexpr std::string_view kName = "clamp_max";
    double most = 0;
};

/// x; what training would change and inference passes on, by the name of its module.
struct Identity {
    static constexpr std::string_view kName = "identity";
    std::string_view of; ///< "dropout", "stochastic_depth"
};

// Quantized values are quint8. Those that only move or choose elements go through the operations
// above; these compute with them, and quantize their result as `to`.

/// x float32. Everything quantized in a graph is computed by one engine.
struct Quantize {
    static constexpr std::string_view kName = "quantize";
    Affine to;
    QuantizedEngine engine = QuantizedEngine::kFbgemm;
};

/// x; float32 again.
struct Dequantize {
    static constexpr std::string_view kName = "dequantize";
};

/// x, weight qint8 quantized as a whole or by output channel, bias float32 [O].
struct QuantizedConv2d {
    static constexpr std::string_view kName = "quantized_conv2d";
    Conv2d conv;
    Affine to;
    bool relu = false; ///< of the result
};

/// x, weight and bias as of QuantizedConv2d.
struct QuantizedLinear {
    static constexpr std::string_view kName = "quantized_linear";
    Affine to;
};

/// a, b.
struct QuantizedAdd {
    static constexpr std::string_view kName = "quantized_add";
    Affine to;
    bool relu = false; ///< of the result
};

/// a, b.
struct QuantizedMul {
    static constexpr std::string_view kName = "quantized_mul";
    Affine to;
};

/// As Concat.
struct QuantizedConcat {
    static constexpr std::string_view kName = "quantized_concat";
    int64_t dim = 1;
    Affine to;
};

/// x; element by element.
struct QuantizedHardswish {
    static constexpr std::string_view kName = "quantized_hardswish";
    Affine to;
};

} // namespace op

using Op =
    std::variant<op::Input, op::Constant, op::Conv2d, op::BatchNorm, op::Linear, op::Activation,
                 op::Add, op::Mul, op::MaxPool2d, op::AvgPool2d, op::AdaptiveAvgPool2d,
                 op::SpatialMean, op::Flatten, op::Reshape, op::Permute, op::Concat, op::Slice,
                 op::PadEnd, op::Roll, op::Gather, op::LayerNorm, op::Softmax, op::MatMul,
                 op::Attention, op::Normalize, op::ClampMax, op::Identity, op::Quantize,
                 op::Dequantize, op::QuantizedConv2d, op::QuantizedLinear, op::QuantizedAdd,
                 op::QuantizedMul, op::QuantizedConcat, op::QuantizedHardswish>;

/// "conv2d"; an activation goes by its own name ("relu").
std::string_view op_name(const Op &op);
/// A kind's own name, "relu".
std::string_view activation_name(op::ActivationKind kind);
/// "stride=2 padding=3": what differs from the defaults, or "".
std::string op_attributes(const Op &op);

} // namespace tvw
