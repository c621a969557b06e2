// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "engine/network.h"

namespace tvw {

/// The network of this configuration at this place, made unless one is in use already: engines of
/// equal configuration share their weights.
std::shared_ptr<Network> shared_network(const EngineConfig &config, const Placement &placement);

} // namespace tvw
