// SPDX-License-Identifier: LGPL-2.1-or-later
// What the core finds behind tvw_engine_v1: engines on LibTorch, and graphs to look at.
#include "backends/cuda/gpu.h"
#include "engine/execute.h"
#include "engine/frame_runner.h"
#include "engine/shared_network.h"
#include "graph/operations.h"
#include "passes/pass.h"

#include <tvw/engine.h>
#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

namespace tvw {
namespace {

class TorchEngine : public Engine {
public:
    TorchEngine(std::shared_ptr<Network> network, int threads)
        : network_(std::move(network)), placement_(network_->placement()), threads_(threads) {}

    using Engine::run;
    void run(const std::vector<NamedTensor> &inputs, std::vector<NamedTensor> &outputs) override {
        const auto job = [&] { network_->run(inputs, outputs); };
        execute(placement_, threads_,
                std::cref(job)); // the lambda itself would have to be allocated
    }
    std::vector<NodeTime> profile(const std::vector<NamedTensor> &inputs, int rounds) override {
        if (rounds < 1)
            throw Error(ErrorKind::kInvalidArgument,
                        fmt::format("{} rounds measure nothing: give 1 or more", rounds));
        std::vector<NodeTime> times;
        execute(placement_, threads_, [&] { times = network_->profile(inputs, rounds); });
        return times;
    }
    int64_t num_params() const override { return network_->num_params(); }
    std::string device() const override {
        return placement_.gpu != nullptr ? placement_.gpu->name() : "cpu";
    }
    std::optional<int> gpu() const override {
        return placement_.gpu != nullptr ? std::optional(placement_.gpu->index()) : std::nullopt;
    }
    std::unique_ptr<FrameRunner> frame_runner(const Transforms &preset,
                                              PreprocessMode mode) override {
        return make_frame_runner(network_, threads_, preset, mode);
    }

private:
    std::shared_ptr<Network> network_;
    Placement placement_;
    int threads_;
};

/// The graph as built, of shapes alone.
Graph graph_of(const GraphRequest &request) {
    const nn::Builder &builder = find_builder(request.builder);
    nn::ShapeSource shapes;
    return build_graph(builder, request.arguments,
                       request.input_shape.value_or(builder.usual_input(request.arguments)),
                       shapes);
}

/// Decorates nodes by their times: the slowest is red, what costs nothing white.
class HeatMap {
public:
    explicit HeatMap(const std::vector<NodeTime> &times) {
        for (const NodeTime &time : times) {
            times_[time.node] = time;
            most_ms_ = std::max(most_ms_, time.median_ms);
            total_ms_ += time.median_ms;
        }
    }
    Decoration operator()(const Node &node) const {
        const auto found = times_.find(node.name);
        if (found == times_.end() || total_ms_ <= 0)
            return {};
        const NodeTime &time = found->second;
        return {fmt::format("{}\n{:.3f} ms, {:.1f} %", time.kernel, time.median_ms,
                            100 * time.median_ms / total_ms_),
                fmt::format("0.000 {:.3f} 1.000", time.median_ms / most_ms_)};
    }

private:
    std::map<std::string, NodeTime, std::less<>> times_;
    double most_ms_ = 0;
    double total_ms_ = 0;
};

class TorchLibrary : public EngineLibrary {
public:
    std::unique_ptr<Engine> create(const EngineConfig &config) override {
        return std::make_unique<TorchEngine>(shared_network(config, choose_placement(config)),
                                             config.threads);
    }

    std::string graph_text(const GraphRequest &request) override {
        Graph graph = graph_of(request);
        if (request.passes)
            graph = run_passes(graph);
        if (!request.dot)
            return to_text(graph);
        return request.times.empty() ? to_dot(graph) : to_dot(graph, HeatMap(request.times));
    }

    double operations(const GraphRequest &request) override { return flops(graph_of(request)); }

    std::vector<NodeTime> kernels(const GraphRequest &request) override {
        EngineConfig config;
        config.builder = request.builder;
        config.arguments = request.arguments;
        const Shape shape = graph_of(request).type(0).shape;
        const std::shared_ptr<Network> network = shared_network(config, {});
        std::vector<NodeTime> kernels;
        try {
            execute({}, config.threads, [&] {
                kernels =
                    network->profile({{"input", HostTensor::zeros(DType::kFloat32, shape)}}, 0);
            });
        } catch (const Error &error) {
            if (error.kind() != ErrorKind::kNotSupported)
                throw;
        }
        return kernels;
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
