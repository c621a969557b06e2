// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/weights.h>

#include <nlohmann/json_fwd.hpp>

namespace tvw::cli {

/// A preset's parameters under torchvision's names, without its own name.
nlohmann::ordered_json preset_fields(const Transforms &transforms);

nlohmann::ordered_json arguments_json(const Arguments &arguments);

/// What `tvw show --json` answers; `tvw weights --json` gives an array of it.
nlohmann::ordered_json weights_json(const Weights &weights);

} // namespace tvw::cli
