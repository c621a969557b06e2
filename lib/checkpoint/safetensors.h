// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/source.h"

#include <tvw/checkpoint.h>

namespace tvw {

/// True if the file can be nothing but safetensors: a length, then a JSON object.
bool is_safetensors(const Source &source);

/// Reads a safetensors file: the length of a JSON header, the header, then all tensors without a
/// gap. Errors: kCorruptFile, kNotSupported.
StateDict read_safetensors(const Source &source, const CheckpointLimits &limits);

} // namespace tvw
