// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/checkpoint.h>
#include <tvw/export.h>
#include <tvw/typed_weights.h>
#include <tvw/weights.h>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// torchvision's models on LibTorch's tensors. Needs libtvw; tvw/models.h has the builders.
namespace tvw {

/// Python's argument `weights=`: None, the name of a member, or a checkpoint.
class WeightsArgument {
public:
    WeightsArgument() = default; ///< None: random initialisation
    // NOLINTBEGIN(google-explicit-constructor): an argument is written as its value
    WeightsArgument(std::nullopt_t /*none*/) {}
    WeightsArgument(const char *name) : value_(std::string(name)) {}
    WeightsArgument(std::string name) : value_(std::move(name)) {}
    WeightsArgument(Weights weights) : value_(std::move(weights)) {}
    template<TypedMember Member>
    WeightsArgument(Member member) : value_(Weights(member)) {}
    // NOLINTEND(google-explicit-constructor)

    /// The checkpoint that it means to a builder called with `given`; none for None. Errors as
    /// WeightsEnum::verify.
    TVW_API std::optional<Weights> resolve(const WeightsEnum &weights,
                                           const Arguments &given = {}) const;

private:
    std::variant<std::monostate, std::string, Weights> value_;
};

/// What the builder of an enum takes: its members and, if it quantizes, those of the network it
/// quantizes.
template<typename Other, typename Enum>
concept MemberFor = std::same_as<Other, Enum> || requires {
    requires std::same_as<Other, typename Enum::Unquantized>;
};

/// The same for one builder: a checkpoint of another one does not compile, unless its family is
/// known only at run time.
template<TypedMember Enum>
class WeightsOf : public WeightsArgument {
public:
    using WeightsArgument::WeightsArgument;
    WeightsOf() = default;
    // NOLINTNEXTLINE(google-explicit-constructor)
    template<TypedMember Other>
    requires MemberFor<Other, Enum> WeightsOf(Other member) : WeightsArgument(member) {}
    template<TypedMember Other>
    requires(!MemberFor<Other, Enum>) WeightsOf(Other member)
    = delete;
};

/// What any builder takes.
struct ModelOptions {
    WeightsArgument weights = {};
    bool progress = true;     ///< show the download of a checkpoint that is not there yet
    Arguments arguments = {}; ///< the builder's other keywords: {{"num_classes", 10}}
};

/// What one builder takes.
template<TypedMember Enum>
struct BuilderOptions {
    WeightsOf<Enum> weights = {};
    bool progress = true;
    Arguments arguments = {};
};

/// A network with its parameters, always in inference mode. A handle: copies share the network, as
/// in Python. Any thread may call; calls are taken in order.
class TVW_API Model {
public:
    using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

    /// The builder's name.
    const std::string &name() const;

    /// float32 [N, 3, H, W] to the main output, [N, num_classes] for classifiers. The graph is
    /// planned once per input shape. Error(kInvalidArgument) for another shape or dtype.
    at::Tensor operator()(const at::Tensor &input) const;

    /// There is no other mode; returns this, as in Python.
    Model &eval() { return *this; }
    /// "cpu", "cuda:N", or "auto" for a GPU if one can be used. Tensors that come in may lie
    /// anywhere, results are on the CPU. Not while another thread calls. Error(kNotSupported) says
    /// why the device cannot be used and what to try.
    Model &to(std::string_view device);

    /// Parameters and buffers, contiguous on the CPU, in torchvision's order. They share memory
    /// with the model: what LibTorch's operators change in place acts from the next call on, what
    /// is written through data pointers is not noticed.
    NamedTensors state_dict() const;
    /// Copies all of them into the model, cast to its dtypes. Error(kMismatch) names what is
    /// missing, unexpected and wrongly shaped, and leaves the model as it was. Keys and shapes of
    /// older published files are taken as those of today.
    void load_state_dict(const StateDict &state_dict);
    void load_state_dict(const NamedTensors &state_dict);

    /// Elements of all trainable parameters.
    int64_t num_params() const;

private:
    class Impl;
    friend class ModelBuilder;
    friend TVW_API std::ostream &operator<<(std::ostream &out, const Model &model);
    explicit Model(std::shared_ptr<Impl> impl);

    std::shared_ptr<Impl> impl_;
};

/// Prints the graph, one operation a line.
TVW_API std::ostream &operator<<(std::ostream &out, const Model &model);

/// What `get_model_builder` answers: a builder by its name.
class TVW_API ModelBuilder {
public:
    explicit ModelBuilder(std::string name) : name_(std::move(name)) {}

    const std::string &name() const { return name_; }
    /// Builds the network and loads or initialises its parameters.
    /// Errors: kNotSupported for a family that is not there yet; kInvalidArgument for arguments;
    /// those of `get_state_dict` and `Model::load_state_dict`.
    Model operator()(const ModelOptions &options = {}) const;

private:
    std::string name_;
};

/// By name, in any case of letters. Error(kNotFound) "Unknown model nope".
TVW_API ModelBuilder get_model_builder(std::string_view name);

/// `get_model_builder(name)(options)`.
TVW_API Model get_model(std::string_view name, const ModelOptions &options = {});

/// By builder: `get_model_weights(resnet50)`.
template<TypedMember Enum>
const WeightsEnum &get_model_weights(Model (*)(const BuilderOptions<Enum> &)) {
    return Enum::definition();
}

/// Makes random initialisation repeatable from here on: the same calls give the same parameters.
/// They are drawn as torchvision does, but are not those of PyTorch's generator.
TVW_API void manual_seed(uint64_t seed);

} // namespace tvw
