// SPDX-License-Identifier: LGPL-2.1-or-later
// A place in a network: the path that prefixes state-dict keys, and what layers there need.
#pragma once

#include "graph/graph.h"
#include "nn/parameters.h"

#include <optional>
#include <string>
#include <string_view>

namespace tvw::nn {

/// A value of the graph under construction; as cheap as its index.
struct Value {
    Graph *graph = nullptr;
    ValueId id = 0;

    Shape shape() const { return graph->type(id).shape; }
    /// Channels of [N, C, …].
    int64_t channels() const { return shape().at(1); }
};

/// What a family's constructor initialises its layers with.
struct InitScheme {
    Init conv_weight = Init::kDefault;
    Init conv_bias = Init::kDefault;
    Init linear_weight = Init::kDefault;
    Init linear_bias = Init::kDefault;
};

/// What most families of torchvision draw from.
inline constexpr InitScheme kKaimingInit{.conv_weight = Init::kKaimingNormalFanOut,
                                         .conv_bias = Init::kZeros,
                                         .linear_weight = Init::normal(0.01),
                                         .linear_bias = Init::kZeros};

/// How a builder of torchvision.models.quantization makes its network.
struct QuantizedForm {
    enum class Kind {
        kNone,      ///< an ordinary builder
        kOff,       ///< the network before quantization
        kConverted, ///< parameters are those of the quantized network
        kAware,     ///< they are those of quantization-aware training, converted here
    } kind = Kind::kNone;
    QuantizedEngine engine = QuantizedEngine::kFbgemm;

    bool quantizes() const { return kind == Kind::kConverted || kind == Kind::kAware; }
};

class Scope {
public:
    Scope(Graph &graph, ParameterSource &source) : graph_(&graph), source_(&source) {}

    /// The scope of a child module: `s / "layer1" / 0`.
    Scope operator/(std::string_view name) const;
    Scope operator/(int64_t index) const { return *this / std::to_string(index); }
    Scope with_init(const InitScheme &init) const;

    Scope with_quantized_form(const QuantizedForm &form) const;

    const std::string &path() const { return path_; }
    const InitScheme &init() const { return init_; }
    const QuantizedForm &quantized_form() const { return quantized_form_; }
    Graph &graph() const { return *graph_; }

    /// A learnt tensor below this path; `weight` is the shape its initialisation looks at.
    Value parameter(std::string_view name, const Shape &shape, const Init &init,
                    const Shape &weight) const;
    /// A tensor that training keeps but does not learn.
    Value buffer(std::string_view name, const Shape &shape, double initial) const;
    /// A buffer of known initial values, of any dtype.
    Value buffer(std::string_view name, const HostTensor &initial) const;
    /// A key that checkpoints may hold and inference does not need.
    void expect_counter(std::string_view name) const;

    /// What a quantized layer is made from, which is no value of the graph; the key is below this
    /// path. Error(kInvalidArgument) where there is no checkpoint.
    StateValue stored(ParameterSpec spec) const;
    /// One number of that sort; none where only shapes are wanted, or it is missing.
    std::optional<float> number(ParameterSpec spec, bool optional = false) const;

private:
    std::string key(std::string_view name) const;
    Value constant(const ParameterRequest &request) const;

    Graph *graph_;
    ParameterSource *source_;
    std::string path_;
    InitScheme init_;
    QuantizedForm quantized_form_;
};

} // namespace tvw::nn
