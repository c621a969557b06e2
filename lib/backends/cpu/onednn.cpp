// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/onednn.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tvw::cpu {
namespace {

using Algorithm = dnnl::algorithm;
using Desc = dnnl::memory::desc;

dnnl::stream &stream() {
    static dnnl::stream stream(onednn_engine());
    return stream;
}

std::string text_of(const Desc &desc) {
    const size_t bytes = desc.get_size();
    return fmt::format("{} {} {} {} {}", fmt::join(desc.get_dims(), ","),
                       fmt::join(desc.get_padded_dims(), ","), fmt::join(desc.get_strides(), ","),
                       fmt::join(desc.get_inner_blks(), ","), bytes) +
           fmt::format(" {}", fmt::join(desc.get_inner_idxs(), ","));
}

} // namespace

dnnl::engine &onednn_engine() {
    static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return engine;
}

Desc desc_of(const View &view) {
    return Desc(view.shape, dnnl::memory::data_type::f32, view.strides);
}

Desc any_layout(const Shape &shape) {
    return Desc(shape, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
}

Eltwise eltwise_of(op::ActivationKind kind) {
    using Kind = op::ActivationKind;
    switch (kind) {
    case Kind::kRelu:
        return {Algorithm::eltwise_relu};
    case Kind::kRelu6:
        return {Algorithm::eltwise_clip, 0, 6};
    case Kind::kSilu:
        return {Algorithm::eltwise_swish, 1};
    case Kind::kSigmoid:
        return {Algorithm::eltwise_logistic};
    case Kind::kHardswish:
        return {Algorithm::eltwise_hardswish, 1.0F / 6, 0.5F};
    case Kind::kHardsigmoid:
        return {Algorithm::eltwise_hardsigmoid, 1.0F / 6, 0.5F};
    case Kind::kGelu:
        return {Algorithm::eltwise_gelu_erf};
    case Kind::kTanh:
        return {Algorithm::eltwise_tanh};
    case Kind::kExp:
        return {Algorithm::eltwise_exp};
    }
    return {Algorithm::undef};
}

dnnl::primitive_attr epilogue_attr(const std::optional<View> &residual,
                                   std::optional<op::ActivationKind> activation) {
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops post;
    if (residual)
        post.append_binary(Algorithm::binary_add, desc_of(*residual));
    if (activation) {
        const Eltwise eltwise = eltwise_of(*activation);
        post.append_eltwise(eltwise.algorithm, eltwise.alpha, eltwise.beta);
    }
    attr.set_post_ops(post);
    return attr;
}

std::shared_ptr<const Reordered> reordered(PackCache &cache, const std::string &name,
                                           const HostTensor &tensor, const Desc &given,
                                           const Desc &wanted) {
    return cache.get(name + " oneDNN " + text_of(wanted), [&] {
        const HostTensor packed = tensor.contiguous();
        const auto floats = aligned_floats((wanted.get_size() + sizeof(float) - 1) / sizeof(float));
        auto *first =
            const_cast<float *>(packed.values<float>().data()); // oneDNN's type: only read
        dnnl::memory from(given, onednn_engine(), first);
        dnnl::memory to(wanted, onednn_engine(), floats.get());
        dnnl::reorder(from, to).execute(stream(), from, to);
        stream().wait();
        return std::make_shared<const Reordered>(wanted, floats);
    });
}

OneDnnCall::OneDnnCall(const dnnl::primitive &primitive, const Desc &scratchpad, Planner &planner)
    : primitive_(primitive) {
    const size_t bytes = scratchpad.get_size();
    if (bytes == 0)
        return;
    scratch_.push_back(planner.scratch(int64_t((bytes + sizeof(float) - 1) / sizeof(float))));
    add(DNNL_ARG_SCRATCHPAD, scratchpad, scratch_.back());
}

void OneDnnCall::add(int argument, const Desc &desc, const View &view) {
    values_.push_back({view, dnnl::memory(desc, onednn_engine(), nullptr)});
    arguments_.push_back({argument, values_.back().memory.get()});
}

void OneDnnCall::add(int argument, std::shared_ptr<const Reordered> weights) {
    constants_.emplace_back(weights->desc, onednn_engine(),
                            const_cast<float *>(weights->floats.get())); // which are only read
    weights_.push_back(std::move(weights));
    arguments_.push_back({argument, constants_.back().get()});
}

void OneDnnCall::operator()(const Memory &memory) const {
    for (const Value &value : values_)
        value.memory.set_data_handle(memory.at(value.view));
    // By way of C: the C++ call would copy the arguments into a map each time.
    dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream().get(),
                                                   int(arguments_.size()), arguments_.data()),
                            "a oneDNN primitive failed");
}

} // namespace tvw::cpu
