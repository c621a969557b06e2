// SPDX-License-Identifier: LGPL-2.1-or-later
// What runs a graph.
#pragma once

#include "graph/graph.h"

#include <tvw/engine.h>
#include <tvw/error.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace tvw {

namespace cpu {
class PackCache;
} // namespace cpu
namespace cuda {
class Gpu;
struct ImageTensor;
struct WeightCache;
} // namespace cuda

using PlanInputs = std::span<const HostTensor *const>;
/// Enqueues what writes a plan's input, on the GPU that the plan is for.
using FillInput = std::function<void(const cuda::ImageTensor &input)>;

/// A graph made ready for one device. One thread at a time, always the same one.
class Plan {
public:
    virtual ~Plan() = default;
    /// One tensor for each input of the graph, in order and of its type. The graph's outputs by
    /// name and in order, into the tensors that are there where they fit and nobody shares them.
    virtual void run(PlanInputs inputs, std::vector<NamedTensor> &outputs) = 0;
    /// The same on a GPU, where `fill` writes the graph's only input, in the plan's own layout.
    virtual void run_filled(const FillInput & /*fill*/, std::vector<NamedTensor> & /*outputs*/) {
        throw Error(ErrorKind::kInternal, "the input of a plan for the CPU is a tensor");
    }
    /// What each node takes, in the order in which they run: the median of `rounds` runs. After 0
    /// rounds there is no time, but all else.
    virtual std::vector<NodeTime> profile(PlanInputs /*inputs*/, int /*rounds*/) {
        throw Error(ErrorKind::kNotSupported,
                    "this backend does not measure its nodes: use the backend \"auto\"");
    }
};

/// LibTorch's operators, one call a node: every operation, any device LibTorch has. The oracle that
/// other backends are compared with.
std::unique_ptr<Plan> make_reference_plan(const Graph &graph);

/// Whether the CPU backend computes with the graph's types: it knows float32 alone.
bool cpu_takes(const Graph &graph);
/// The fastest kernels for this CPU and for as many threads as are set at the time. Weights are
/// packed into the cache, once for all plans of a network; the graph lets go of what is packed.
/// With more than one image, the graph is of one, and the plan takes so many in its inputs' first
/// dimension; each is computed by one thread. Precision: kFp32, or kBf16, with which the factors of
/// convolutions and linear layers are rounded, but not those of depthwise convolutions.
std::unique_ptr<Plan> make_cpu_plan(Graph graph, cpu::PackCache &cache, int64_t images = 1,
                                    Precision precision = Precision::kFp32);

/// LibTorch's operators on a GPU, with cuDNN's fused convolutions, recorded once and launched as a
/// whole. Called, as all of the plan, on the GPU's worker. The graph is one of real numbers alone;
/// its constants are moved into the cache, which all plans of a network with one precision share.
/// Errors as of cuda::Gpu::run.
std::unique_ptr<Plan> make_cuda_plan(Graph graph, cuda::Gpu &gpu, Precision precision,
                                     cuda::WeightCache &cache);
std::shared_ptr<cuda::WeightCache> make_weight_cache();

/// How many threads plans are made for and run with when called from this thread.
void set_backend_threads(int threads);
int backend_threads();

} // namespace tvw
