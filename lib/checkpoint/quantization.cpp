// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/quantization.h"

#include "checkpoint/globals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tvw {
namespace {

/// The range of the integers that `dtype` stores.
std::pair<int64_t, int64_t> stored_range(DType dtype) {
    if (dtype == DType::kQInt8)
        return {std::numeric_limits<int8_t>::min(), std::numeric_limits<int8_t>::max()};
    if (dtype == DType::kQUInt8)
        return {0, std::numeric_limits<uint8_t>::max()};
    return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
}

/// One number per channel, as a list of numbers or a tensor of rank 1.
void check_channels(const Pickle &pickle, const PickleValue &value, PickleType number,
                    std::initializer_list<DType> dtypes, int64_t channels, std::string_view what) {
    const auto expect_count = [&](size_t count) {
        if (count != size_t(channels))
            refuse(fmt::format("{} {} for {} channels", count, what, channels));
    };
    if (value.type == PickleType::kList) {
        const auto &items = pickle.items(value);
        expect_count(items.size());
        for (const PickleValue &item : items) {
            if (item.type != number)
                refuse(fmt::format("the {} hold {}", what, type_text(item.type)));
        }
    } else if (value.type == PickleType::kTensor) {
        const PickledTensor &tensor = pickle.tensors[value.index()];
        if (tensor.shape.size() != 1 ||
            std::find(dtypes.begin(), dtypes.end(), tensor.dtype) == dtypes.end()) {
            refuse(fmt::format("the {} are {} of {}", what, shape_text(tensor.shape),
                               dtype_name(tensor.dtype)));
        }
        expect_count(size_t(tensor.shape[0]));
    } else {
        refuse(fmt::format("the {} are {}", what, type_text(value.type)));
    }
}

template<typename Stored, typename Number>
void append(const HostTensor &tensor, std::vector<Number> &numbers) {
    const auto values = tensor.values<Stored>();
    numbers.insert(numbers.end(), values.begin(), values.end());
}

std::vector<double> read_scales(const Pickle &pickle, const PickleValue &value,
                                const TensorLoader &load) {
    std::vector<double> scales;
    if (value.type == PickleType::kFloat) {
        scales.push_back(value.real());
    } else if (value.type == PickleType::kList) {
        for (const PickleValue &item : pickle.items(value))
            scales.push_back(item.real());
    } else {
        const HostTensor tensor = load(value.index()).contiguous();
        tensor.dtype() == DType::kFloat64 ? append<double>(tensor, scales)
                                          : append<float>(tensor, scales);
    }
    return scales;
}

std::vector<int64_t> read_zero_points(const Pickle &pickle, const PickleValue &value,
                                      const TensorLoader &load) {
    std::vector<int64_t> zero_points;
    if (value.type == PickleType::kInt) {
        zero_points.push_back(value.payload);
    } else if (value.type == PickleType::kList) {
        for (const PickleValue &item : pickle.items(value))
            zero_points.push_back(item.payload);
    } else {
        const HostTensor tensor = load(value.index()).contiguous();
        tensor.dtype() == DType::kInt64 ? append<int64_t>(tensor, zero_points)
                                        : append<int32_t>(tensor, zero_points);
    }
    return zero_points;
}

} // namespace

PickledQuantization read_quantizer(const Pickle &pickle, const PickleValue &parameters,
                                   const PickledTensor &tensor) {
    if (parameters.type != PickleType::kTuple || pickle.items(parameters).empty() ||
        pickle.items(parameters)[0].type != PickleType::kGlobal)
        refuse("a quantized tensor without a scheme");
    const auto &items = pickle.items(parameters);
    const GlobalEntry &scheme = global_entry(items[0].index());
    PickledQuantization result;
    result.per_channel = scheme.global == Global::kPerChannelAffine;
    if (!result.per_channel && scheme.global != Global::kPerTensorAffine)
        refuse_unsupported(fmt::format("the scheme {}.{}", scheme.module, scheme.name));
    if (items.size() != (result.per_channel ? 4U : 3U))
        refuse(fmt::format("a quantizer of {} items", items.size()));
    result.scales = items[1];
    result.zero_points = items[2];
    if (!result.per_channel) {
        if (items[1].type != PickleType::kFloat || items[2].type != PickleType::kInt) {
            refuse(fmt::format("scale and zero point are {} and {}", type_text(items[1].type),
                               type_text(items[2].type)));
        }
        return result;
    }
    if (items[3].type != PickleType::kInt || items[3].payload < 0 ||
        items[3].index() >= tensor.shape.size())
        refuse(fmt::format("the axis of the scales is not one of {}", shape_text(tensor.shape)));
    result.axis = int(items[3].payload);
    const int64_t channels = tensor.shape[items[3].index()];
    check_channels(pickle, items[1], PickleType::kFloat, {DType::kFloat64, DType::kFloat32},
                   channels, "scales");
    check_channels(pickle, items[2], PickleType::kInt, {DType::kInt64, DType::kInt32}, channels,
                   "zero points");
    return result;
}

Quantization resolve_quantization(const Pickle &pickle, const PickledTensor &tensor,
                                  const TensorLoader &load) {
    const PickledQuantization &source = *tensor.quantization;
    Quantization result{source.per_channel, source.axis, read_scales(pickle, source.scales, load),
                        read_zero_points(pickle, source.zero_points, load)};
    for (const double scale : result.scales) {
        // As float32, in which kernels compute: 1e300 is infinite there and 1e-300 zero.
        if (!std::isfinite(float(scale)) || float(scale) <= 0)
            refuse(fmt::format("a scale of its quantization is {}", scale));
    }
    const auto [lowest, highest] = stored_range(tensor.dtype);
    for (const int64_t zero_point : result.zero_points) {
        if (zero_point < lowest || zero_point > highest)
            refuse(fmt::format("a zero point of its quantization is {}", zero_point));
    }
    return result;
}

} // namespace tvw
