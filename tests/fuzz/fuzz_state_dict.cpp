// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is a list of changes to the state dict that a small network wants; the network is then
// built from it. Plain, quantized and quantization-aware networks take turns.
#include "fuzz/target.h"
#include "graph/graph.h"
#include "models/models.h"
#include "nn/layers.h"

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

using namespace tvw;
using Form = nn::QuantizedForm::Kind;

namespace {

/// A block of each kind: what families are made of.
void build(Form form, nn::ParameterSource &source) {
    Graph graph("small");
    const nn::Scope s = nn::Scope(graph, source).with_quantized_form({.kind = form});
    nn::Value x{&graph, graph.add_input("input", {DType::kFloat32, {1, 3, 8, 8}})};
    x = nn::quantize(s / "quant", x);
    x = nn::conv_norm_activation(s / "stem", x, 4, {.kernel = 3}, nn::Activation::kRelu);
    const nn::Value y =
        nn::conv_norm_activation(s / "block", x, 4, {.kernel = 3}, nn::Activation::kHardswish);
    x = nn::add(s / "skip_add", x, y);
    x = nn::flatten(nn::adaptive_avg_pool(x));
    x = nn::dequantize(nn::linear(s / "fc", x, 2));
    graph.add_output("output", x.id);
}

nn::ParameterStore stored(Form form, nn::ParameterSource &source) {
    nn::ParameterStore store;
    store.set_source(&source);
    build(form, store);
    store.set_source(nullptr);
    return store;
}

using Entries = std::vector<std::pair<std::string, StateValue>>;

HostTensor filled(DType dtype, const Shape &shape) {
    HostTensor tensor = HostTensor::zeros(dtype, shape);
    if (dtype == DType::kFloat32) {
        const auto values = tensor.mutable_values<float>();
        std::fill(values.begin(), values.end(), 0.5F);
    }
    return tensor;
}

HostTensor quantized(const HostTensor &tensor, Quantization quantization) {
    return {tensor.dtype(),   tensor.shape(),
            tensor.strides(), tensor.offset(),
            tensor.storage(), std::make_shared<const Quantization>(std::move(quantization))};
}

StateValue value_for(const ParameterSpec &spec) {
    const auto weight = [&] {
        const HostTensor tensor = filled(spec.dtype, spec.shape);
        return spec.dtype == DType::kQInt8 ? quantized(tensor, {false, 0, {0.5}, {0}}) : tensor;
    };
    if (spec.kind == StateKind::kDType)
        return spec.dtype;
    if (spec.kind == StateKind::kPacked)
        return std::vector{weight(), filled(DType::kFloat32, {spec.shape.at(0)})};
    if (spec.key.ends_with("min_val") || spec.key.ends_with("max_val"))
        return filled(DType::kFloat32, {});
    return weight();
}

/// A network with what it was trained to.
struct Network {
    explicit Network(Form its_form) : form(its_form) {
        nn::ShapeSource shapes;
        specs = stored(form, shapes).specs();
        for (const ParameterSpec &spec : specs)
            entries.emplace_back(spec.key, value_for(spec));
    }

    Form form;
    std::vector<ParameterSpec> specs;
    Entries entries = {};
};

DType some_dtype(FuzzedDataProvider &input) {
    return DType(input.ConsumeIntegralInRange<int>(0, int(DType::kQInt32)));
}

Shape some_shape(FuzzedDataProvider &input) {
    Shape shape(input.ConsumeIntegralInRange<size_t>(0, 5));
    for (int64_t &size : shape)
        size = input.ConsumeIntegralInRange<int64_t>(0, 5);
    return shape;
}

Quantization some_quantization(FuzzedDataProvider &input, const Shape &shape) {
    Quantization result;
    result.per_channel = !shape.empty() && input.ConsumeBool();
    if (result.per_channel)
        result.axis = input.ConsumeIntegralInRange<int>(0, int(shape.size()) - 1);
    // The reader lets pass only what is positive and finite.
    const double scale = input.PickValueInArray(
        {0.5, 1e-320, 1e-45, 1e300, 3.5e38, std::numeric_limits<double>::max()});
    const size_t count = result.per_channel ? size_t(shape[size_t(result.axis)]) : 1;
    result.scales.assign(count, scale);
    result.zero_points.assign(count, input.ConsumeIntegralInRange<int64_t>(-128, 127));
    return result;
}

HostTensor some_tensor(FuzzedDataProvider &input, DType dtype, const Shape &shape) {
    HostTensor tensor = HostTensor::zeros(dtype, shape);
    const auto bytes = input.ConsumeBytes<uint8_t>(tensor.storage()->size());
    if (!bytes.empty() && dtype != DType::kBool)
        std::memcpy(static_cast<void *>(tensor.storage()->data()), bytes.data(), bytes.size());
    const bool needs = dtype >= DType::kQInt8;
    return needs ? quantized(tensor, some_quantization(input, shape)) : tensor;
}

/// The same number everywhere.
HostTensor constant(FuzzedDataProvider &input, const Shape &shape) {
    using Limits = std::numeric_limits<float>;
    const float number =
        input.PickValueInArray({0.0F, -0.0F, 1.0F, -1.0F, 300.0F, Limits::infinity(),
                                -Limits::infinity(), Limits::quiet_NaN(), Limits::max(),
                                Limits::lowest(), Limits::min(), Limits::denorm_min()});
    HostTensor tensor = HostTensor::zeros(DType::kFloat32, shape);
    const auto values = tensor.mutable_values<float>();
    std::fill(values.begin(), values.end(), number);
    return tensor;
}

/// One element that stands for all, or the dimensions in another order of bytes.
HostTensor restrided(FuzzedDataProvider &input, const HostTensor &tensor) {
    std::vector<int64_t> strides(tensor.shape().size(), 0);
    if (input.ConsumeBool()) {
        int64_t step = 1;
        for (size_t i = 0; i < strides.size(); ++i)
            step *= std::max<int64_t>(tensor.shape()[i], std::exchange(strides[i], step) * 0 + 1);
    }
    const HostTensor packed = tensor.contiguous();
    return {tensor.dtype(),  tensor.shape(),   strides,
            packed.offset(), packed.storage(), tensor.quantization()};
}

constexpr std::string_view kNames[] = {"aux1.conv.conv.weight",
                                       "AuxLogits.conv0.conv.weight",
                                       "layers.0.weight",
                                       "layers.6.weight",
                                       "features.denseblock1.denselayer1.norm.1.weight",
                                       "encoder.layers.0.mlp.linear_1.weight",
                                       "_blocks.0._depthwise_conv.weight",
                                       "_conv_stem.weight",
                                       "fc.weight",
                                       "fc.bias",
                                       "fc._packed_params.weight",
                                       "fc._packed_params.bias",
                                       "n_averaged",
                                       ""};

std::string some_key(FuzzedDataProvider &input) {
    return input.ConsumeBool() ? std::string(input.PickValueInArray(kNames))
                               : input.ConsumeRandomLengthString(24);
}

StateValue some_value(FuzzedDataProvider &input) {
    const auto tensor = [&] { return some_tensor(input, some_dtype(input), some_shape(input)); };
    switch (input.ConsumeIntegralInRange<int>(0, 3)) {
    case 0:
        return some_dtype(input);
    case 1:
        return std::vector{tensor()};
    case 2: {
        HostTensor weight = tensor();
        return std::vector{std::move(weight), tensor()};
    }
    default:
        return tensor();
    }
}

void change(Entries &entries, FuzzedDataProvider &input) {
    if (entries.empty())
        return;
    const size_t at = input.ConsumeIntegralInRange<size_t>(0, entries.size() - 1);
    auto &[key, value] = entries[at];
    auto *tensor = std::get_if<HostTensor>(&value);
    const int kind = input.ConsumeIntegralInRange<int>(0, 8);
    if (kind == 0)
        entries.erase(entries.begin() + ptrdiff_t(at));
    else if (kind == 1)
        key = some_key(input);
    else if (kind == 2)
        entries.emplace_back(some_key(input), some_value(input));
    else if (kind == 3 || tensor == nullptr)
        value = some_value(input);
    else if (kind == 4)
        value = some_tensor(input, tensor->dtype(), some_shape(input));
    else if (kind == 5)
        value = some_tensor(input, some_dtype(input), Shape(tensor->shape()));
    else if (kind == 6)
        value = constant(input, Shape(tensor->shape()));
    else if (kind == 7)
        value = restrided(input, HostTensor(*tensor));
    else if (tensor->dtype() >= DType::kQInt8)
        value = quantized(*tensor, some_quantization(input, tensor->shape()));
}

/// What came out, in the order of construction.
std::vector<StateValue> load(Form form, const StateDict &state_dict,
                             const nn::CheckpointSource::RenameKey &rename) {
    nn::CheckpointSource source(state_dict, rename);
    nn::ParameterStore store = stored(form, source);
    source.finish("small", "input");
    std::vector<StateValue> values;
    for (const ParameterSpec &spec : store.specs())
        values.push_back(store.get({spec, {}}));
    return values;
}

void check_same(const std::vector<StateValue> &a, const std::vector<StateValue> &b) {
    fuzz::require(a.size() == b.size(), "as many parameters twice");
}

/// The value is the one that was asked for, and its numbers can be computed with.
void check_value(const ParameterSpec &spec, const StateValue &value) {
    const auto check = [](const HostTensor &tensor, DType dtype, const Shape &shape) {
        fuzz::require(tensor.dtype() == dtype && tensor.shape() == shape, "the wanted tensor");
        // A counter may be missing, and a number is a tensor of its own.
        if (!tensor.has_data() || dtype != DType::kFloat32)
            return;
        const auto values = tensor.values<float>();
        fuzz::require(std::all_of(values.begin(), values.end(),
                                  [](float number) { return std::isfinite(number); }),
                      "weights are finite");
    };
    if (const auto *pair = std::get_if<std::vector<HostTensor>>(&value)) {
        fuzz::require(pair->size() == 2, "a weight and a bias");
        check((*pair)[0], spec.dtype, spec.shape);
        check((*pair)[1], DType::kFloat32, {spec.shape.at(0)});
    } else if (const auto *tensor = std::get_if<HostTensor>(&value);
               tensor != nullptr && spec.trainable) {
        check(*tensor, spec.dtype, spec.shape);
    }
}

const nn::Hooks &some_hooks(FuzzedDataProvider &input) {
    constexpr const char *kBuilders[] = {"resnet18",    "densenet121",        "vit_b_16",
                                         "googlenet",   "efficientnet_lite0", "mnasnet0_5",
                                         "inception_v3"};
    return find_builder(input.PickValueInArray(kBuilders)).hooks;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    FuzzedDataProvider input(data, size);
    static const Network kNetworks[] = {Network(Form::kNone), Network(Form::kConverted),
                                        Network(Form::kAware)};
    const Network &network = kNetworks[input.ConsumeIntegralInRange<size_t>(0, 2)];
    const nn::Hooks &hooks = some_hooks(input);
    const auto rename = input.ConsumeBool() ? hooks.rename_key : nullptr;
    Entries entries = network.entries;
    constexpr int kMostChanges = 8;
    for (int i = 0; i < kMostChanges && input.remaining_bytes() > 0; ++i)
        change(entries, input);
    StateDict state_dict;
    for (auto &[key, value] : entries) {
        try {
            state_dict.add(key, value);
        } catch (const Error &error) { // the reader has refused it before
            fuzz::check_error(error, {ErrorKind::kInvalidArgument});
        }
    }
    static constexpr auto kKinds = {ErrorKind::kMismatch, ErrorKind::kInvalidArgument};
    const auto outcome = fuzz::outcome_of_two(
        kKinds, [&] { return load(network.form, state_dict, rename); }, check_same);
    for (size_t i = 0; outcome.result && i < network.specs.size(); ++i)
        check_value(network.specs[i], outcome.result->at(i));
    if (hooks.adapt != nullptr) {
        const nn::CheckpointSource source(state_dict, nullptr);
        Arguments arguments;
        hooks.adapt(arguments, [&](std::string_view key) { return source.shape(key); });
    }
    return 0;
}
