// SPDX-License-Identifier: LGPL-2.1-or-later
#include "models/models.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <map>

namespace tvw {

// The families, each defined in the source of its name.
nn::Family alexnet();
nn::Family convnext();
nn::Family densenet();
nn::Family efficientnet();
nn::Family googlenet();
nn::Family inception();
nn::Family maxvit();
nn::Family mnasnet();
nn::Family mobilenetv2();
nn::Family mobilenetv3();
nn::Family regnet();
nn::Family resnet();
nn::Family shufflenetv2();
nn::Family squeezenet();
nn::Family swin_transformer();
nn::Family vgg();
nn::Family vision_transformer();

namespace {

using Table = std::map<std::string, nn::Builder, std::less<>>;

constexpr nn::Family (*kFamilies[])() = {
    alexnet,           convnext,    densenet,         efficientnet,
    googlenet,         inception,   maxvit,           mnasnet,
    mobilenetv2,       mobilenetv3, regnet,           resnet,
    shufflenetv2,      squeezenet,  swin_transformer, vgg,
    vision_transformer};

Table make_table() {
    Table table;
    for (const auto family : kFamilies) {
        for (nn::Builder &builder : family()) {
            std::string name = builder.name;
            table.emplace(std::move(name), std::move(builder));
        }
    }
    return table;
}

} // namespace

const nn::Builder &find_builder(std::string_view name) {
    static const Table table = make_table();
    const auto found = table.find(name);
    if (found != table.end())
        return found->second;
    const WeightsEnum &known = get_model_weights(name); // throws "Unknown model …"
    if (known.builder() != name)
        return find_builder(known.builder());
    throw Error(ErrorKind::kNotSupported,
                fmt::format("{} is known, not yet built: its weights and transforms can be looked "
                            "up, its network cannot be run by this version",
                            name));
}

Graph build_graph(const nn::Builder &builder, const Arguments &arguments, const Shape &input,
                  nn::ParameterSource &parameters) {
    if (input.size() != 4 || input[1] != 3 || numel(input) == 0)
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("{} takes an input of [N, 3, H, W], got {}", builder.name,
                                shape_text(input)));
    Graph graph(builder.name);
    const nn::Value x{&graph, graph.add_input("input", {DType::kFloat32, input})};
    nn::ArgumentReader reader(builder.name, arguments);
    const nn::Value output = builder.build(nn::Scope(graph, parameters), x, reader);
    reader.finish();
    graph.add_output("output", output.id);
    verify(graph);
    return graph;
}

int64_t count_parameters(const nn::Builder &builder, Arguments arguments) {
    arguments.erase("quantize");
    nn::ShapeSource shapes;
    nn::ParameterStore store;
    store.set_source(&shapes);
    build_graph(builder, arguments, builder.usual_input(arguments), store);
    return store.num_params();
}

} // namespace tvw
