// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/convert.h"

#include "backends/outputs.h"

#include <tvw/error.h>

#include <ATen/ops/from_blob.h>

#include <cstring>

namespace tvw {
namespace {

constexpr std::pair<DType, at::ScalarType> kTypes[] = {
    {DType::kBool, at::kBool},     {DType::kUInt8, at::kByte},
    {DType::kInt8, at::kChar},     {DType::kInt16, at::kShort},
    {DType::kInt32, at::kInt},     {DType::kInt64, at::kLong},
    {DType::kFloat16, at::kHalf},  {DType::kBFloat16, at::kBFloat16},
    {DType::kFloat32, at::kFloat}, {DType::kFloat64, at::kDouble},
};

at::ScalarType scalar_type(DType dtype) {
    for (const auto &[ours, theirs] : kTypes) {
        if (ours == dtype)
            return theirs;
    }
    throw Error(ErrorKind::kNotSupported,
                "no LibTorch tensor is made from " + std::string(dtype_name(dtype)));
}

} // namespace

DType dtype_of(at::ScalarType type) {
    for (const auto &[ours, theirs] : kTypes) {
        if (theirs == type)
            return ours;
    }
    throw Error(ErrorKind::kNotSupported, std::string("a tensor of LibTorch's type ") +
                                              c10::toString(type) + " cannot be read");
}

HostTensor::operator at::Tensor() const {
    if (!has_data())
        throw Error(ErrorKind::kNotSupported,
                    "no LibTorch tensor is made from a shape without bytes: " + shape_text(shape_));
    std::byte *first = storage_->data() + size_t(offset_) * item_size(dtype_);
    return at::from_blob(
        first, shape_, strides_, [keep = storage_](void * /*data*/) {},
        at::TensorOptions(scalar_type(dtype_)));
}

HostTensor from_aten(const at::Tensor &tensor) {
    const at::Tensor packed = tensor.cpu().contiguous();
    HostTensor result = HostTensor::zeros(dtype_of(packed.scalar_type()), packed.sizes().vec());
    if (packed.nbytes() > 0) // of an empty tensor neither pointer need be one
        std::memcpy(result.storage()->data(), packed.const_data_ptr(), packed.nbytes());
    return result;
}

void hand_over(const Graph &graph, const std::vector<at::Tensor> &results,
               std::vector<NamedTensor> &outputs) {
    outputs.resize(results.size());
    for (size_t i = 0; i < results.size(); ++i) {
        const auto &[name, id] = graph.outputs()[i];
        const TensorType &type = graph.type(id);
        std::byte *to = claim_output(outputs[i], name, type.dtype, type.shape);
        if (results[i].nbytes() > 0) // of an empty tensor neither pointer need be one
            std::memcpy(to, results[i].const_data_ptr(), results[i].nbytes());
    }
}

} // namespace tvw
