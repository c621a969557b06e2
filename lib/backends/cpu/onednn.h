// SPDX-License-Identifier: LGPL-2.1-or-later
// oneDNN's primitives as steps of a plan. One engine and one stream serve the process: plans run on
// the worker thread alone.
#pragma once

#include "backends/cpu/kernel.h"
#include "backends/cpu/memory.h"
#include "backends/cpu/planner.h"

#include <oneapi/dnnl/dnnl.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tvw::cpu {

dnnl::engine &onednn_engine();

dnnl::memory::desc desc_of(const View &view);
/// The same shape in whichever layout oneDNN likes best.
dnnl::memory::desc any_layout(const Shape &shape);

/// oneDNN's name for it and how it is called with a parameter.
struct Eltwise {
    dnnl::algorithm algorithm;
    float alpha = 0;
    float beta = 0;
};
Eltwise eltwise_of(op::ActivationKind kind);

/// Attributes with what is done to the result before it is stored. Scratch memory is the plan's.
/// A residual of this layout is argument kResidual.
dnnl::primitive_attr epilogue_attr(const std::optional<View> &residual,
                                   std::optional<op::ActivationKind> activation);
constexpr int kResidual = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

/// A tensor in the layout a primitive asked for.
struct Reordered {
    dnnl::memory::desc desc;
    SharedFloats floats; ///< as many as desc needs
};
/// The constant under `name` reordered, once for all plans that ask for the same layout. `given`
/// describes how its elements lie.
std::shared_ptr<const Reordered> reordered(PackCache &cache, const std::string &name,
                                           const HostTensor &tensor,
                                           const dnnl::memory::desc &given,
                                           const dnnl::memory::desc &wanted);

/// A primitive with its arguments, as the `run` of a Step.
class OneDnnCall {
public:
    OneDnnCall(const dnnl::primitive &primitive, const dnnl::memory::desc &scratchpad,
               Planner &planner);

    /// A value of the plan.
    void add(int argument, const dnnl::memory::desc &desc, const View &view);
    /// Weights, which live as long as the call.
    void add(int argument, std::shared_ptr<const Reordered> weights);

    void operator()(const Memory &memory) const;
    const std::vector<View> &scratch() const { return scratch_; }

private:
    struct Value {
        View view;
        dnnl::memory memory;
    };
    dnnl::primitive primitive_;
    std::vector<Value> values_;
    std::vector<std::shared_ptr<const Reordered>> weights_;
    std::vector<dnnl_exec_arg_t> arguments_;
    std::vector<dnnl::memory> constants_;
    std::vector<View> scratch_;
};

} // namespace tvw::cpu
