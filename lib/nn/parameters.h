// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a network's parameters come from: a checkpoint, random numbers, or nowhere (shapes only).
#pragma once

#include "nn/init.h"

#include <tvw/checkpoint.h>
#include <tvw/engine.h>

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace tvw::nn {

/// What a layer asks for.
struct ParameterRequest {
    ParameterSpec spec;
    Distribution distribution; ///< for random initialisation
    bool optional = false;     ///< a checkpoint may lack it
    HostTensor initial = {};   ///< of a buffer whose values are known; instead of the distribution
    bool number = false;       ///< one element of any dtype and rank; comes as float32
};

/// Hands out parameters by state-dict key, as the request's kind of value.
class ParameterSource {
public:
    virtual ~ParameterSource() = default;
    virtual StateValue get(const ParameterRequest &request) = 0;
};

/// The kind of value that is asked for, without bytes.
StateValue shapes_of(const ParameterSpec &spec);

/// Shapes without bytes.
class ShapeSource : public ParameterSource {
public:
    StateValue get(const ParameterRequest &request) override;
};

/// Random numbers that depend on the seed and the key alone, so that a layer keeps its values
/// whatever is built before it.
class RandomSource : public ParameterSource {
public:
    explicit RandomSource(uint64_t seed) : seed_(seed) {}
    StateValue get(const ParameterRequest &request) override;

private:
    uint64_t seed_;
};

/// A checkpoint, used strictly: `finish` is an error unless every key was used and every request
/// was met with its shape. Values become float32 as PyTorch's copy_ would make them.
class CheckpointSource : public ParameterSource {
public:
    using RenameKey = std::function<std::string(std::string_view)>;
    /// `rename` maps the file's keys to the builder's; null keeps them. `state_dict` outlives this.
    CheckpointSource(const StateDict &state_dict, const RenameKey &rename);

    StateValue get(const ParameterRequest &request) override;
    /// The shape of a tensor by the builder's key; empty where there is none.
    Shape shape(std::string_view key) const;
    /// Error(kMismatch) naming what is missing, unexpected or wrongly shaped; two lines at most.
    void finish(const std::string &builder, const std::string &file) const;

private:
    const HostTensor *find(std::string_view key) const;
    HostTensor tensor(const ParameterRequest &request);
    StateValue packed(const ParameterSpec &spec);
    std::vector<HostTensor> unpacked(std::string_view key);
    /// Notes what is wrong, if anything.
    bool fits(const std::string &key, const HostTensor &tensor, DType dtype, const Shape &shape);

    std::map<std::string, const StateValue *, std::less<>> values_;
    std::set<std::string, std::less<>> unused_;
    std::vector<std::string> missing_;
    std::vector<std::string> wrong_;
};

/// Remembers what another source gave, so that a graph can be built again for another input size,
/// and lists it.
class ParameterStore : public ParameterSource {
public:
    /// From now on unknown keys come from `source`; null: none are left to ask for.
    void set_source(ParameterSource *source) { source_ = source; }
    StateValue get(const ParameterRequest &request) override;
    /// In the order of construction.
    const std::vector<ParameterSpec> &specs() const { return specs_; }
    /// Error(kNotSupported) where a value is no plain tensor.
    std::vector<NamedTensor> tensors() const;
    int64_t num_params() const;

    /// Gives every parameter bytes of its own, so that a change of one changes nothing else.
    void own();
    /// Writes the values of `other`, a store of the same parameters, into the bytes of this one.
    void copy_values(const ParameterStore &other);

private:
    ParameterSource *source_ = nullptr;
    std::map<std::string, StateValue, std::less<>> values_;
    std::vector<ParameterSpec> specs_;
};

} // namespace tvw::nn
