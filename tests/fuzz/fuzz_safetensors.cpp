// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is a safetensors file: the length of a header, the header, data. Mutations keep the
// length true and, most often, make offsets and data fit the shapes.
#include "fuzz/mutate_json.h"
#include "fuzz/target.h"

#include "checkpoint/safetensors_header.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

using namespace tvw;
using Json = nlohmann::ordered_json;

namespace {

constexpr size_t kMostBytes = 1024; ///< of one tensor

constexpr std::string_view kWords[] = {"\"dtype\"",
                                       "\"shape\"",
                                       "\"data_offsets\"",
                                       "\"__metadata__\"",
                                       "\"F32\"",
                                       "\"BF16\"",
                                       "\"F16\"",
                                       "\"F64\"",
                                       "\"I64\"",
                                       "\"I8\"",
                                       "\"U8\"",
                                       "\"BOOL\"",
                                       "\"F8_E4M3\"",
                                       "\"w\"",
                                       "\"format\"",
                                       "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}",
                                       "{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[0,1]}",
                                       "{\"format\":\"pt\"}"};

/// The bytes that an entry of the header needs; 0 where that is unclear or too many.
size_t bytes_of(const Json &entry) {
    const auto dtype = entry.contains("dtype") && entry["dtype"].is_string()
                           ? safetensors_dtype(entry["dtype"].get<std::string>())
                           : std::nullopt;
    if (!dtype || !entry.contains("shape") || !entry["shape"].is_array())
        return 0;
    uint64_t bytes = item_size(*dtype);
    for (const Json &size : entry["shape"]) {
        if (!size.is_number_unsigned() || size.get<uint64_t>() > kMostBytes)
            return 0;
        bytes = std::min<uint64_t>(bytes * size.get<uint64_t>(), kMostBytes + 1);
    }
    return bytes <= kMostBytes ? size_t(bytes) : 0;
}

/// Offsets one after another, and as much data.
void repair(std::string &header, std::string &data) {
    Json json = Json::parse(header, nullptr, false);
    if (!json.is_object())
        return;
    size_t position = 0;
    for (auto &[name, entry] : json.items()) {
        if (!entry.is_object() || name == kSafetensorsMetadata || !entry.contains("data_offsets"))
            continue;
        const size_t size = bytes_of(entry);
        entry["data_offsets"] = {position, position + size};
        position += size;
    }
    header = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    data.resize(position, '\1');
}

std::string mutate(const std::string &file, fuzz::Random &random) {
    if (file.size() < kSafetensorsPrefix)
        return {};
    uint64_t size = 0;
    std::memcpy(&size, file.data(), sizeof size);
    size = std::min<uint64_t>(size, file.size() - kSafetensorsPrefix);
    std::string header = file.substr(kSafetensorsPrefix, size);
    std::string data = file.substr(kSafetensorsPrefix + size);
    if (random.one_in(6))
        fuzz::mutate_bytes(data);
    else if (random.one_in(8))
        fuzz::mutate_bytes(header);
    else
        header = fuzz::mutate_json(header, kWords, random);
    if (random.one_in(2))
        repair(header, data);
    size = random.one_in(16) ? random.number() : header.size();
    return std::string(reinterpret_cast<const char *>(&size), sizeof size) + header + data;
}

/// Every byte behind the header belongs to one tensor, so none can mean two things.
void check_bytes(std::string_view file, const StateDict &state_dict) {
    uint64_t header = 0;
    std::memcpy(&header, file.data(), sizeof header);
    uint64_t bytes = 0;
    for (const auto &[key, value] : state_dict.entries()) {
        const auto &tensor = std::get<HostTensor>(value);
        bytes += uint64_t(tensor.numel()) * item_size(tensor.dtype());
    }
    const uint64_t data = file.size() - kSafetensorsPrefix - header;
    // The counter of an averaged model is dropped.
    const bool counted = file.find("n_averaged") != std::string_view::npos;
    fuzz::require(bytes == data || (counted && bytes + sizeof(int64_t) == data),
                  "the tensors fill the file");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (const auto state_dict = fuzz::check_checkpoint(data, size)) {
        fuzz::check_saving(*state_dict);
        // Mutations may have made another container of it.
        if (size > kSafetensorsPrefix && data[kSafetensorsPrefix] == '{')
            check_bytes({reinterpret_cast<const char *>(data), size}, *state_dict);
    }
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                          unsigned seed) {
    return fuzz::mutate_input(data, size, max_size, seed, mutate);
}
