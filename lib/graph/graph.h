// SPDX-License-Identifier: LGPL-2.1-or-later
// A network as a list of operations over values of known shape, in an order that can be run.
#pragma once

#include "graph/op.h"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tvw {

/// What is known of a value before anything runs.
struct TensorType {
    DType dtype = DType::kFloat32;
    Shape shape;
    std::optional<Affine> affine = {}; ///< of quint8; a constant's tensor knows its own

    bool operator==(const TensorType &) const = default;
};

/// "float32 [1, 3, 224, 224]"; "quint8 [1, 64] scale=0.5 zero_point=3".
std::string type_text(const TensorType &type);

/// The index of the node that makes the value: every operation has one result.
using ValueId = int32_t;

struct Node {
    Op op;
    std::vector<ValueId> inputs; ///< smaller than the node's own index
    TensorType type;             ///< of the result
    std::string name;            ///< unique: the module's path, the state-dict key, or "add_7"
};

/// Append-only; passes make a new graph instead of changing one.
class Graph {
public:
    explicit Graph(std::string name) : name_(std::move(name)) {}

    const std::string &name() const { return name_; }
    const std::vector<Node> &nodes() const { return nodes_; }
    const Node &node(ValueId id) const { return nodes_[size_t(id)]; }
    const TensorType &type(ValueId id) const { return node(id).type; }

    ValueId add_input(std::string name, TensorType type);
    ValueId add_constant(std::string name, HostTensor tensor);
    /// Leaves a constant with its shape alone: whoever plans the graph has taken the bytes.
    void forget_bytes(ValueId constant);
    /// The type is inferred. Without a name, or where it is taken, one is made from the operation.
    /// Error(kInvalidArgument) names the node if its inputs do not fit the operation.
    ValueId add(Op op, std::vector<ValueId> inputs, std::string name = {});

    void add_output(std::string name, ValueId id) { outputs_.emplace_back(std::move(name), id); }
    /// In order; the first is the main one.
    const std::vector<std::pair<std::string, ValueId>> &outputs() const { return outputs_; }

private:
    ValueId append(Node node);
    std::string unique_name(std::string wanted, std::string_view op);

    std::string name_;
    std::vector<Node> nodes_;
    std::vector<std::pair<std::string, ValueId>> outputs_;
    std::map<std::string, ValueId, std::less<>> names_;
};

/// The result's type. Error(kInvalidArgument) says what does not fit; the caller adds where.
TensorType infer_type(const Op &op, std::span<const TensorType> inputs);

/// Error(kInternal) unless the graph is in order: inputs before uses, types as inferred, names
/// unique, outputs present.
void verify(const Graph &graph);

/// One line a node; constants appear by name where they are used.
std::string to_text(const Graph &graph);
/// What a picture shows of a node beside the operation; empty: nothing.
struct Decoration {
    std::string text; ///< further lines of the label
    std::string fill; ///< a colour as Graphviz writes it
};
/// The same for Graphviz.
std::string to_dot(const Graph &graph,
                   const std::function<Decoration(const Node &)> &decorate = {});

} // namespace tvw
