// SPDX-License-Identifier: LGPL-2.1-or-later
// What the core finds behind tvw_engine_v1: engines on LibTorch, and graphs to look at.
#include "engine/model.h"
#include "engine/worker.h"
#include "passes/pass.h"

#include <tvw/engine.h>
#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>

#include <sched.h>

namespace tvw {
namespace {

/// CPUs this process may use, which containers and taskset restrict.
int allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

void need_cpu(const Device &device) {
    if (device.type == Device::Type::kCuda)
        throw Error(ErrorKind::kNotSupported,
                    fmt::format("device cuda:{} cannot be used: this build has no CUDA module; "
                                "use \"cpu\" or \"auto\"",
                                device.index));
}

class TorchEngine : public Engine {
public:
    TorchEngine(std::shared_ptr<Model> model, int threads)
        : model_(std::move(model)), threads_(threads > 0 ? threads : allowed_cpus()) {}

    std::vector<NamedTensor> run(const std::vector<NamedTensor> &inputs) override {
        std::vector<NamedTensor> outputs;
        Worker::instance().run([&] {
            set_backend_threads(threads_);
            outputs = run_guarded(inputs);
        });
        return outputs;
    }
    int64_t num_params() const override { return model_->num_params(); }

private:
    /// LibTorch's exceptions end here: nobody beyond knows their type.
    std::vector<NamedTensor> run_guarded(const std::vector<NamedTensor> &inputs) {
        try {
            return model_->run(inputs);
        } catch (const Error &) {
            throw;
        } catch (const std::exception &error) {
            const std::string_view what = error.what();
            throw Error(ErrorKind::kInternal,
                        fmt::format("LibTorch failed: {}", what.substr(0, what.find('\n'))));
        }
    }

    std::shared_ptr<Model> model_;
    int threads_;
};

class TorchLibrary : public EngineLibrary {
public:
    std::unique_ptr<Engine> create(const EngineConfig &config) override {
        need_cpu(config.device);
        return std::make_unique<TorchEngine>(Model::shared(config), config.threads);
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
