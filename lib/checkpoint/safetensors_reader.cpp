// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/text.h"
#include "checkpoint/checked.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace tvw {
namespace {

/// Bytes of a tensor; nullopt where its shape does not fit int64.
std::optional<uint64_t> byte_count(const SafetensorsEntry &entry, DType dtype) {
    constexpr auto kLargest = uint64_t(std::numeric_limits<int64_t>::max());
    uint64_t packed = item_size(dtype); // with sizes of 0 counted as 1, as packed strides do
    uint64_t bytes = packed;
    for (const uint64_t size : entry.shape) {
        if (!multiply(packed, std::max<uint64_t>(size, 1), packed) || packed > kLargest)
            return std::nullopt;
        bytes *= size;
    }
    return bytes;
}

/// The tensors lie one after another and fill the file.
void check_ranges(const Source &source, uint64_t data,
                  const std::vector<SafetensorsEntry> &entries) {
    std::vector<const SafetensorsEntry *> order;
    order.reserve(entries.size());
    for (const SafetensorsEntry &entry : entries)
        order.push_back(&entry);
    std::sort(order.begin(), order.end(),
              [](const auto *a, const auto *b) { return a->range < b->range; });
    uint64_t position = 0;
    const uint64_t end = source.size() - data;
    for (const SafetensorsEntry *entry : order) {
        if (entry->range[1] > end || entry->range[0] > entry->range[1]) {
            source.corrupt(entry->at,
                           fmt::format("{} reaches from {} to {} in {} bytes of data; is the "
                                       "download complete?",
                                       in_quotes(entry->name), entry->range[0], entry->range[1],
                                       end));
        }
        if (entry->range[0] != position) {
            source.corrupt(data + entry->range[0],
                           in_quotes(entry->name) + (entry->range[0] < position
                                                         ? " overlaps the tensor before it"
                                                         : " leaves a gap before it"));
        }
        position = entry->range[1];
    }
    if (position != end)
        source.corrupt(data + position, "the file goes on after its last tensor");
}

HostTensor read_tensor(const Source &source, uint64_t data, const SafetensorsEntry &entry) {
    const std::optional<DType> dtype = safetensors_dtype(entry.dtype);
    if (!dtype) {
        source.unsupported(entry.at,
                           in_quotes(entry.name) + " has dtype " + in_quotes(entry.dtype));
    }
    const std::optional<uint64_t> bytes = byte_count(entry, *dtype);
    if (!bytes || *bytes != entry.range[1] - entry.range[0]) {
        source.corrupt(entry.at,
                       fmt::format("{} has {} bytes, which is not what its shape needs",
                                   in_quotes(entry.name), entry.range[1] - entry.range[0]));
    }
    HostTensor tensor = HostTensor::zeros(*dtype, Shape(entry.shape.begin(), entry.shape.end()));
    const std::span<std::byte> target(tensor.storage()->data(), tensor.storage()->size());
    source.read(data + entry.range[0], target);
    // C++ may not even look at a bool that is neither 0 nor 1.
    if (*dtype == DType::kBool && std::any_of(target.begin(), target.end(),
                                              [](std::byte byte) { return byte > std::byte{1}; })) {
        source.corrupt(data + entry.range[0],
                       in_quotes(entry.name) + " holds bools other than 0, 1");
    }
    return tensor;
}

} // namespace

bool is_safetensors(const Source &source) {
    return source.size() > kSafetensorsPrefix && source.number<char>(kSafetensorsPrefix) == '{' &&
           source.number<uint8_t>(7) == 0;
}

StateDict read_safetensors(const Source &source, const CheckpointLimits &limits) {
    const auto header_size = source.number<uint64_t>(0);
    const std::vector<SafetensorsEntry> entries =
        read_safetensors_header(source, header_size, limits);
    const uint64_t data = kSafetensorsPrefix + header_size;
    check_ranges(source, data, entries);
    if (source.size() - data > limits.tensor_bytes) {
        source.unsupported(data, fmt::format("the tensors have more bytes than the limit of {}",
                                             limits.tensor_bytes));
    }
    StateDict state_dict;
    for (const SafetensorsEntry &entry : entries)
        state_dict.add(entry.name, read_tensor(source, data, entry));
    return state_dict;
}

} // namespace tvw
