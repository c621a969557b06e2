// SPDX-License-Identifier: LGPL-2.1-or-later
// Every builder by name. A family is one source file beside this one and one line in models.cpp.
#pragma once

#include "nn/builder.h"

#include <string_view>

namespace tvw {

/// Error(kNotFound) "Unknown model …"; Error(kNotSupported) for a builder that the registry knows
/// and no family builds yet.
const nn::Builder &find_builder(std::string_view name);

/// The whole graph for one input shape [N, 3, H, W].
/// Errors: kInvalidArgument for arguments and sizes the network cannot take.
Graph build_graph(const nn::Builder &builder, const Arguments &arguments, const Shape &input,
                  nn::ParameterSource &parameters);

/// Elements of all parameters that training learns; of a quantized network those it had before.
int64_t count_parameters(const nn::Builder &builder, Arguments arguments);

} // namespace tvw
