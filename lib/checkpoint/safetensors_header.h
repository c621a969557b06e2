// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/source.h"

#include <tvw/checkpoint.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tvw {

/// One tensor as the header of a safetensors file describes it.
struct SafetensorsEntry {
    std::string name;
    std::string dtype;
    std::vector<uint64_t> shape;
    std::vector<uint64_t> range; ///< begin and end, from the first byte behind the header
    uint64_t at = 0;             ///< offset in the file of the quote behind its name
};

/// "F32", …; the empty string for quantized dtypes, which the format does not know.
std::string_view safetensors_name(DType dtype);
/// nullopt for dtypes that we do not know.
std::optional<DType> safetensors_dtype(std::string_view name);

/// Bytes of the length that stands before the header.
constexpr uint64_t kSafetensorsPrefix = 8;
constexpr std::string_view kSafetensorsMetadata = "__metadata__";

/// Parses the header, `size` bytes of JSON, in file order. Only its form is checked here, and that
/// no name stands twice. Errors: kCorruptFile, kNotSupported.
std::vector<SafetensorsEntry> read_safetensors_header(const Source &source, uint64_t size,
                                                      const CheckpointLimits &limits);

} // namespace tvw
