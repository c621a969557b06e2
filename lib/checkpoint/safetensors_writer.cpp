// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/checkpoint.h>
#include <tvw/error.h>

#include "base/text.h"
#include "checkpoint/output_file.h"
#include "checkpoint/safetensors_header.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

namespace tvw {
namespace {

void check_tensor(const NamedTensor &named) {
    if (named.name.empty() || !is_utf8(named.name) || named.name == kSafetensorsMetadata) {
        throw Error(ErrorKind::kInvalidArgument,
                    in_quotes(named.name) +
                        " cannot be the name of a tensor in a safetensors file");
    }
    if (!named.tensor.has_data()) {
        throw Error(ErrorKind::kInvalidArgument,
                    in_quotes(named.name) + " is a shape without data");
    }
    if (safetensors_name(named.tensor.dtype()).empty()) {
        throw Error(ErrorKind::kNotSupported, in_quotes(named.name) + " is " +
                                                  std::string(dtype_name(named.tensor.dtype())) +
                                                  ", which safetensors files cannot hold");
    }
}

uint64_t packed_bytes(const HostTensor &tensor) {
    return uint64_t(tensor.numel()) * item_size(tensor.dtype());
}

/// The order of the bytes: wide elements first, so that every tensor is aligned.
std::vector<size_t> byte_order(const std::vector<NamedTensor> &tensors) {
    std::vector<size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return item_size(tensors[a].tensor.dtype()) > item_size(tensors[b].tensor.dtype());
    });
    return order;
}

std::string make_header(const std::vector<NamedTensor> &tensors, const std::vector<size_t> &order) {
    std::vector<uint64_t> offsets(tensors.size());
    uint64_t position = 0;
    for (const size_t i : order) {
        offsets[i] = position;
        position += packed_bytes(tensors[i].tensor);
    }
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    for (size_t i = 0; i < tensors.size(); ++i) {
        const HostTensor &tensor = tensors[i].tensor;
        if (header.contains(tensors[i].name)) {
            throw Error(ErrorKind::kInvalidArgument,
                        "two tensors are called " + in_quotes(tensors[i].name));
        }
        header[tensors[i].name] = {
            {"dtype", safetensors_name(tensor.dtype())},
            {"shape", tensor.shape()},
            {"data_offsets", {offsets[i], offsets[i] + packed_bytes(tensor)}},
        };
    }
    std::string text = header.dump();
    constexpr size_t kAlignment = 8;
    text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
    return text;
}

} // namespace

void save_safetensors(const std::filesystem::path &path, const std::vector<NamedTensor> &tensors) {
    std::for_each(tensors.begin(), tensors.end(), check_tensor);
    const std::vector<size_t> order = byte_order(tensors);
    const std::string header = make_header(tensors, order);
    OutputFile file(path);
    const auto size = uint64_t(header.size());
    file.write(std::as_bytes(std::span(&size, 1)));
    file.write(std::as_bytes(std::span(header)));
    for (const size_t i : order) {
        const HostTensor packed = tensors[i].tensor.contiguous();
        const size_t begin = size_t(packed.offset()) * item_size(packed.dtype());
        file.write({packed.storage()->data() + begin, packed_bytes(packed)});
    }
    file.commit();
}

} // namespace tvw
