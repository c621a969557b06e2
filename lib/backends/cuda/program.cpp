// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cuda/program.h"

#include "backends/cuda/operators.h"
#include "backends/reference/operators.h"

#include <tvw/error.h>

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <utility>

namespace tvw::cuda {
namespace {

bool is_input(const Node &node) {
    return std::holds_alternative<op::Input>(node.op);
}

at::Tensor laid_out(const at::Tensor &tensor, bool image) {
    return tensor.contiguous(image ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

/// rows[places[r]] = r.
std::vector<int64_t> inverse_of(const std::vector<int32_t> &rows) {
    std::vector<int64_t> places(rows.size());
    for (size_t i = 0; i < rows.size(); ++i)
        places[size_t(rows[i])] = int64_t(i);
    return places;
}

at::Tensor indices(const std::vector<int64_t> &values, at::Device device) {
    return at::tensor(values, at::TensorOptions(at::kLong)).to(device);
}

at::ScalarType output_type(const TensorType &type) {
    return type.dtype == DType::kInt64 ? at::kLong : at::kFloat;
}

} // namespace

Program::Program(Graph graph, at::Device device, at::ScalarType type, WeightCache &cache)
    : graph_(std::move(graph)),
      device_(device),
      type_(type),
      steps_(graph_.nodes().size()),
      needed_(graph_.nodes().size()) {
    plan_lifetimes();
    for (ValueId id = 0; id < ValueId(steps_.size()); ++id) {
        if (needed_[size_t(id)])
            place(id, cache);
    }
}

void Program::plan_lifetimes() {
    std::vector<bool> read_later(steps_.size());
    for (const auto &[name, id] : graph_.outputs())
        needed_[size_t(id)] = read_later[size_t(id)] = true;
    for (ValueId id = ValueId(steps_.size()); id-- > 0;) {
        if (!needed_[size_t(id)])
            continue;
        for (const ValueId input : graph_.node(id).inputs) {
            needed_[size_t(input)] = true;
            if (!read_later[size_t(input)])
                steps_[size_t(id)].released.push_back(input);
            read_later[size_t(input)] = true;
        }
        const Node &node = graph_.node(id);
        if (std::holds_alternative<op::Conv2d>(node.op))
            steps_[size_t(node.inputs[1])].image = true;
        else if (is_input(node))
            steps_[size_t(id)].image = node.type.shape.size() == 4;
    }
}

/// Puts on the device what the node needs beside the values that it reads.
void Program::place(ValueId id, WeightCache &cache) {
    const Node &node = graph_.node(id);
    Step &step = steps_[size_t(id)];
    if (const auto *constant = std::get_if<op::Constant>(&node.op)) {
        at::Tensor &kept = cache.tensors[node.name + " " + type_text(node.type)];
        if (!kept.defined()) {
            const at::Tensor host = constant->tensor;
            const bool real = at::isFloatingType(host.scalar_type());
            kept = laid_out(host.to(device_, real ? type_ : host.scalar_type(),
                                    /*non_blocking=*/false, /*copy=*/true),
                            step.image);
        }
        step.constant = kept;
        graph_.forget_bytes(id);
    } else if (const auto *attention = std::get_if<op::Attention>(&node.op)) {
        if (attention->rows == nullptr)
            return;
        step.rows = indices({attention->rows->begin(), attention->rows->end()}, device_);
        step.places = indices(inverse_of(*attention->rows), device_);
    } else if (const auto *conv = std::get_if<op::Conv2d>(&node.op)) {
        step.fused = device_.is_cuda() && can_fuse(*conv, node.inputs.size());
    }
}

at::Tensor Program::call(ValueId id, const std::vector<at::Tensor> &arguments) {
    const Op &op = graph_.node(id).op;
    Step &step = steps_[size_t(id)];
    if (const auto *conv = std::get_if<op::Conv2d>(&op)) {
        if (step.fused) {
            try {
                return fused_convolution(*conv, arguments);
            } catch (const c10::OutOfMemoryError &) {
                throw;
            } catch (const c10::AcceleratorError &) {
                throw;
            } catch (const c10::Error &) {
                step.fused = false; // cuDNN has no such kernel; found out once, at the first run
            }
        }
        return convolution(*conv, arguments);
    }
    if (const auto *layer = std::get_if<op::Linear>(&op))
        return linear(*layer, arguments);
    if (const auto *layer = std::get_if<op::Attention>(&op))
        return attention(*layer, arguments, step.rows, step.places);
    return call_operator(op, arguments, {});
}

std::vector<at::Tensor> Program::make_inputs() const {
    std::vector<at::Tensor> inputs;
    for (size_t id = 0; id < steps_.size(); ++id) {
        const Node &node = graph_.nodes()[id];
        if (is_input(node))
            inputs.push_back(
                laid_out(at::zeros(node.type.shape, at::TensorOptions(device_).dtype(type_)),
                         steps_[id].image));
    }
    return inputs;
}

std::vector<at::Tensor> Program::run(const std::vector<at::Tensor> &inputs) {
    std::vector<at::Tensor> values(steps_.size());
    std::vector<at::Tensor> arguments;
    size_t next_input = 0;
    for (ValueId id = 0; id < ValueId(steps_.size()); ++id) {
        const Node &node = graph_.node(id);
        const Step &step = steps_[size_t(id)];
        if (is_input(node)) {
            values[size_t(id)] = laid_out(inputs[next_input++].to(type_), step.image);
        } else if (step.constant.defined()) {
            values[size_t(id)] = step.constant;
        } else if (needed_[size_t(id)]) {
            arguments.clear();
            for (const ValueId input : node.inputs)
                arguments.push_back(values[size_t(input)]);
            values[size_t(id)] = call(id, arguments);
        }
        for (const ValueId dead : step.released)
            values[size_t(dead)].reset();
    }
    std::vector<at::Tensor> outputs;
    for (const auto &[name, id] : graph_.outputs())
        outputs.push_back(values[size_t(id)].to(output_type(graph_.type(id))).contiguous());
    return outputs;
}

} // namespace tvw::cuda
