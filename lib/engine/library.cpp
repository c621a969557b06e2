// SPDX-License-Identifier: LGPL-2.1-or-later
// What the core finds behind tvw_engine_v1: engines on LibTorch, and graphs to look at.
#include "engine/execute.h"
#include "engine/shared_network.h"
#include "passes/pass.h"

#include <tvw/engine.h>

namespace tvw {
namespace {

class TorchEngine : public Engine {
public:
    TorchEngine(std::shared_ptr<Network> network, int threads)
        : network_(std::move(network)), threads_(threads) {}

    std::vector<NamedTensor> run(const std::vector<NamedTensor> &inputs) override {
        std::vector<NamedTensor> outputs;
        execute(threads_, [&] { outputs = network_->run(inputs); });
        return outputs;
    }
    int64_t num_params() const override { return network_->num_params(); }

private:
    std::shared_ptr<Network> network_;
    int threads_;
};

class TorchLibrary : public EngineLibrary {
public:
    std::unique_ptr<Engine> create(const EngineConfig &config) override {
        need_device(config.device);
        return std::make_unique<TorchEngine>(shared_network(config), config.threads);
    }

    std::string graph_text(const GraphRequest &request) override {
        const nn::Builder &builder = find_builder(request.builder);
        nn::ShapeSource shapes;
        Graph graph = build_graph(
            builder, request.arguments,
            request.input_shape.value_or(builder.usual_input(request.arguments)), shapes);
        if (request.passes)
            graph = run_passes(graph);
        return request.dot ? to_dot(graph) : to_text(graph);
    }

    std::vector<ParameterSpec> parameters(std::string_view name,
                                          const Arguments &arguments) override {
        const nn::Builder &builder = find_builder(name);
        nn::ShapeSource shapes;
        nn::ParameterStore store;
        store.set_source(&shapes);
        build_graph(builder, arguments, builder.usual_input(arguments), store);
        return store.specs();
    }
};

} // namespace
} // namespace tvw

extern "C" TVW_API tvw::EngineLibrary *tvw_engine_v1() {
    static tvw::TorchLibrary library;
    return &library;
}
