// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/op.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tvw {
namespace {

constexpr std::string_view kActivationNames[] = {
    "relu", "relu6", "silu", "sigmoid", "hardswish", "hardsigmoid", "gelu", "tanh", "exp"};

std::string list_text(const std::vector<int64_t> &values) {
    return fmt::format("[{}]", fmt::join(values, ", "));
}

/// "3" where all are equal, "(3, 2)" otherwise.
template<size_t N>
std::string sizes_text(const std::array<int64_t, N> &sizes) {
    if (std::all_of(sizes.begin(), sizes.end(), [&](int64_t size) { return size == sizes[0]; }))
        return std::to_string(sizes[0]);
    return fmt::format("({})", fmt::join(sizes, ", "));
}

/// Collects "name=value" for values that are not the default.
class Attributes {
public:
    template<size_t N>
    Attributes &add(std::string_view name, const std::array<int64_t, N> &value,
                    const std::array<int64_t, N> &usual) {
        return value == usual ? *this : append(name, sizes_text(value));
    }
    Attributes &add(std::string_view name, int64_t value, int64_t usual) {
        return value == usual ? *this : append(name, std::to_string(value));
    }
    Attributes &add(std::string_view name, double value, double usual) {
        return value == usual ? *this : append(name, fmt::format("{}", value));
    }
    Attributes &add(const std::optional<op::ActivationKind> &kind) {
        return kind ? append("activation", activation_name(*kind)) : *this;
    }
    Attributes &append(std::string_view name, std::string_view value) {
        text_ += fmt::format("{}{}={}", text_.empty() ? "" : " ", name, value);
        return *this;
    }
    const std::string &text() const { return text_; }

private:
    std::string text_;
};

struct AttributesOf {
    std::string operator()(const op::Conv2d &conv) const {
        const op::Conv2d usual;
        return Attributes()
            .add("stride", conv.stride, usual.stride)
            .add("padding", conv.padding, usual.padding)
            .add("dilation", conv.dilation, usual.dilation)
            .add("groups", conv.groups, usual.groups)
            .add(conv.activation)
            .text();
    }
    std::string operator()(const op::Linear &linear) const {
        return Attributes().add(linear.activation).text();
    }
    std::string operator()(const op::Add &add) const {
        return Attributes().add(add.activation).text();
    }
    std::string operator()(const op::Mul &mul) const {
        return Attributes().add(mul.activation).text();
    }
    std::string operator()(const op::Quantize &quantize) const {
        const bool fbgemm = quantize.engine == QuantizedEngine::kFbgemm;
        return Attributes().append("engine", fbgemm ? "fbgemm" : "qnnpack").text();
    }
    std::string operator()(const op::QuantizedConv2d &conv) const {
        return with_relu((*this)(conv.conv), conv.relu);
    }
    std::string operator()(const op::QuantizedAdd &add) const { return with_relu({}, add.relu); }
    std::string operator()(const op::QuantizedConcat &concat) const {
        return (*this)(op::Concat{concat.dim});
    }
    std::string operator()(const op::BatchNorm &norm) const {
        return Attributes().append("eps", fmt::format("{}", norm.eps)).add(norm.activation).text();
    }
    std::string operator()(const op::MaxPool2d &pool) const {
        return window(pool).add("ceil_mode", int64_t{pool.ceil_mode}, int64_t{0}).text();
    }
    std::string operator()(const op::AvgPool2d &pool) const { return window(pool).text(); }
    std::string operator()(const op::AdaptiveAvgPool2d &pool) const {
        return Attributes().append("output", sizes_text(pool.output)).text();
    }
    std::string operator()(const op::Flatten &flatten) const {
        return Attributes().append("start", std::to_string(flatten.start)).text();
    }
    std::string operator()(const op::Reshape &reshape) const {
        return Attributes().append("shape", list_text(reshape.shape)).text();
    }
    std::string operator()(const op::Permute &permute) const {
        return Attributes().append("order", list_text(permute.order)).text();
    }
    std::string operator()(const op::Concat &concat) const {
        return Attributes().append("dim", std::to_string(concat.dim)).text();
    }
    std::string operator()(const op::Slice &slice) const {
        return Attributes()
            .append("dim", std::to_string(slice.dim))
            .append("range", fmt::format("{}:{}", slice.start, slice.end))
            .add("step", slice.step, int64_t{1})
            .text();
    }
    std::string operator()(const op::PadEnd &pad) const {
        return Attributes().append("amounts", list_text(pad.amounts)).text();
    }
    std::string operator()(const op::Roll &roll) const {
        return Attributes()
            .append("dims", sizes_text(roll.dims))
            .append("shifts", sizes_text(roll.shifts))
            .text();
    }
    std::string operator()(const op::LayerNorm &norm) const {
        return Attributes().append("eps", fmt::format("{}", norm.eps)).text();
    }
    std::string operator()(const op::Attention &attention) const {
        const auto rows = int64_t(attention.rows ? attention.rows->size() : 0);
        return Attributes()
            .add("scale", attention.scale, 1.0)
            .add("tokens", attention.tokens, int64_t{0})
            .add("rows", rows, int64_t{0})
            .text();
    }
    std::string operator()(const op::Normalize &normalize) const {
        return Attributes().append("eps", fmt::format("{}", normalize.eps)).text();
    }
    std::string operator()(const op::ClampMax &clamp) const {
        return Attributes().append("most", fmt::format("{}", clamp.most)).text();
    }
    std::string operator()(const op::Identity &identity) const {
        return Attributes().append("of", identity.of).text();
    }
    template<typename Other>
    std::string operator()(const Other & /*no attributes*/) const {
        return {};
    }

private:
    static std::string with_relu(const std::string &text, bool relu) {
        return relu ? text + (text.empty() ? "relu" : " relu") : text;
    }
    template<typename Pool>
    static Attributes window(const Pool &pool) {
        const Pool usual;
        return Attributes()
            .append("kernel", sizes_text(pool.kernel))
            .add("stride", pool.stride, usual.stride)
            .add("padding", pool.padding, usual.padding);
    }
};

} // namespace

std::string_view activation_name(op::ActivationKind kind) {
    return kActivationNames[size_t(kind)];
}

std::string_view op_name(const Op &op) {
    if (const auto *activation = std::get_if<op::Activation>(&op))
        return activation_name(activation->kind);
    return std::visit([](const auto &any) { return any.kName; }, op);
}

std::string op_attributes(const Op &op) {
    return std::visit(AttributesOf{}, op);
}

} // namespace tvw
